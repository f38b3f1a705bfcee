use tickrate_guest::*;
struct A;
impl Api for A {
    fn open(_: RunConfig) -> Result<A, PluginError> { Ok(A) }
    fn shape(&self, _: TurnInContext) -> Result<HttpRequest, PluginError> { Err(PluginError::Internal("x".into())) }
    fn parse(&self, _: Reply) -> Result<Outcome, PluginError> { Ok(Outcome::default()) }
}
export_api!(A);
