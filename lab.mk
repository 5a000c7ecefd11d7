# The lab: peers in environments of their own under .lab, and what they take beside Cloister (benchmarks/lab).
.PHONY: lab lab-run lab-full lab-redaction lab-report
LAB := .lab/torch/.installed .lab/optimum/.installed .lab/infinity/.installed .lab/redaction/.installed

lab: install $(LAB) ## environments of the lab's peers (a few minutes, about 5 GB)

.lab/%/.installed: benchmarks/lab/requirements/%.txt
	$(PYTHON) -m venv .lab/$*
	if grep -q ^torch== $<; then .lab/$*/bin/python -m pip install -q torch==2.13.0; fi
	.lab/$*/bin/python -m pip install -q -r $<
	touch $@

lab-run: lab ## MiniLM beside all peers: mixed, uniform, single; run nothing else meanwhile
	$(BIN)/python -m benchmarks.lab.run
	$(BIN)/python -m benchmarks.lab.redaction
	$(MAKE) lab-report

lab-full: lab ## what lab-run leaves out: 500 texts, long documents, growth to 100,000 tokens, the other models (about 2 hours)
	$(BIN)/python -m benchmarks.lab.run --full --missing
	for model in bert-base distilbert xlmr-base tagger; do $(BIN)/python -m benchmarks.lab.run --model $$model || exit 1; done
	$(MAKE) lab-report

lab-redaction: install .lab/redaction/.installed ## Cloister's patterns beside tools that find personal data without a model
	$(BIN)/python -m benchmarks.lab.redaction

lab-report: install ## .lab/report/index.html, benchmarks/REPORT.md and README's summary from the last run
	$(BIN)/python -m benchmarks.lab.report

.PHONY: bench-regression bench-baseline
REGRESSION := $(BIN)/python -m pytest benchmarks/regression -q -p no:cacheprovider --benchmark-warmup=on \
	--benchmark-warmup-iterations=5 --benchmark-min-rounds=20 --benchmark-max-time=3 --benchmark-json=.work/regression.json

bench-regression: install ## whether Cloister became slower: ratios to kernels of the same run, against the baseline (a minute)
	@mkdir -p .work
	$(REGRESSION)
	$(BIN)/python -m benchmarks.regression.check .work/regression.json

bench-baseline: install ## records the baseline of this kind of processor; run nothing else meanwhile
	@mkdir -p .work
	$(REGRESSION)
	$(BIN)/python -m benchmarks.regression.check .work/regression.json --record

.PHONY: bench-roofline
bench-roofline: install ## peaks of this machine, the share of them that each shape reaches, time by operator
	$(BIN)/python -m benchmarks.roofline
