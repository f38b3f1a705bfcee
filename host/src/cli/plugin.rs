//! stub
/// stub
#[derive(Debug, clap::Args)]
pub struct PluginArgs {}
/// stub
pub fn run(_: &PluginArgs) -> Result<(), std::io::Error> {
    Ok(())
}
