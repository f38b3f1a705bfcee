// Makes a component of a JavaScript module. Called by "tickrate plugin build" with the main file of
// componentize-js, the module, the folder of the contract, the world, and the file to write.
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const [tool, sourcePath, witPath, worldName, out] = process.argv.slice(1);
const { componentize } = await import(pathToFileURL(tool));
// A plugin has no use for what WASI could offer, but for an error's text on the standard streams.
const disableFeatures = ['clocks', 'http', 'random', 'fetch-event'];
const { component } = await componentize({ sourcePath, witPath, worldName, disableFeatures });
await writeFile(out, component);
