# Monitoring: what it costs, how often it is wrong, how soon it finds an attack. DATA names the folder with the data sets.
.PHONY: bench-monitoring

bench-monitoring: install ## cost, false alarms and found attacks of monitoring (DATA=folder with texts and the trace)
	$(BIN)/python -m benchmarks.monitoring.figures --data $(DATA)
