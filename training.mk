.PHONY: bench-few bench-tune

bench-few: install ## few-shot heads on BANKING77 and CLINC150 (DATA=folder with the data sets)
	$(BIN)/python -m benchmarks.training.few $(DATA)

bench-tune: install ## fine-tunes MiniLM on BANKING77 and WNUT-17, exports and measures (DATA=folder); half an hour on two cores
	$(BIN)/python -m benchmarks.training.tune $(DATA) .work/training
