module example.com/go-dataset

go 1.24
