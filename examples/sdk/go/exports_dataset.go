//go:build wasip1 && tickrate_dataset

package tickrate

var dataset Dataset

//go:wasmexport tickrate:plugin/dataset@0.1.0#open
func datasetOpen(
	model, modelBytes, url, urlBytes, stream uint32,
	seed, expected uint64,
	parameters, parametersBytes, options, optionsBytes, hasPath, path, pathBytes uint32,
) uint32 {
	defer logged()
	config := givenConfig(list{model, modelBytes}, list{url, urlBytes}, stream, seed, expected,
		list{parameters, parametersBytes}, list{options, optionsBytes}, option{uint8(hasPath), list{path, pathBytes}})
	opened, err := openDataset(config)
	dataset = opened
	return put(batch{}, err)
}

//go:wasmexport tickrate:plugin/dataset@0.1.0#next
func datasetNext(atMost uint32) uint32 {
	defer logged()
	value, err := dataset.Next(int(atMost))
	return put(batch{list: putEach(value, putConversation)}, err)
}

//go:wasmexport cabi_post_tickrate:plugin/dataset@0.1.0#open
func datasetOpenRead(uint32) { forget() }

//go:wasmexport cabi_post_tickrate:plugin/dataset@0.1.0#next
func datasetNextRead(uint32) { forget() }
