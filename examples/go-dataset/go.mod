module go-dataset

go 1.24
