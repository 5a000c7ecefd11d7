# The lab: peers in environments of their own under .lab, and what they take beside Cloister (benchmarks/lab).
.PHONY: lab lab-run lab-full lab-report
LAB := .lab/torch/.installed .lab/optimum/.installed .lab/infinity/.installed

lab: install $(LAB) ## environments of the lab's peers (a few minutes, about 5 GB)

.lab/%/.installed: benchmarks/lab/requirements/%.txt
	$(PYTHON) -m venv .lab/$*
	.lab/$*/bin/python -m pip install -q torch==2.13.0
	.lab/$*/bin/python -m pip install -q -r $<
	touch $@

lab-run: lab ## MiniLM beside all peers: mixed, uniform, single; run nothing else meanwhile
	$(BIN)/python -m benchmarks.lab.run
	$(MAKE) lab-report

lab-full: lab ## lab-run, and 500 texts, long documents, growth to 100,000 tokens
	$(BIN)/python -m benchmarks.lab.run --full
	$(MAKE) lab-report

lab-report: install ## .lab/report/index.html, benchmarks/REPORT.md and README's table from the last run
	$(BIN)/python -m benchmarks.lab.report
