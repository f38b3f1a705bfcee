// A transform for asc, which has no way to write the contract's names for what is exported. A function gets the name
// that the contract has for it, and one that tickrate calls when it has read the answer.

const FUNCTIONS = {
  info_name: 'info@0.1.0#name',
  info_version: 'info@0.1.0#version',
  info_options_schema: 'info@0.1.0#options-schema',
  api_open: 'api@0.1.0#open',
  api_shape: 'api@0.1.0#shape',
  api_parse: 'api@0.1.0#parse',
  dataset_open: 'dataset@0.1.0#open',
  dataset_next: 'dataset@0.1.0#next',
};

export default class {
  afterCompile(module) {
    for (const [name, contract] of Object.entries(FUNCTIONS)) {
      const file = name.split('_')[0];
      const internal = `tickrate/${file}/${name}`;
      if (!module.getFunction(internal)) continue;
      module.removeExport(name);
      module.addFunctionExport(internal, `tickrate:plugin/${contract}`);
      module.addFunctionExport('tickrate/info/read', `cabi_post_tickrate:plugin/${contract}`);
    }
    module.removeExport('read');
  }
}
