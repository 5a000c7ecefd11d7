# Redaction: figures, comparison, fuzzing. DATA names the folder with the data sets (see benchmarks/redaction/README.md).
.PHONY: bench-redaction bench-names bench-heldout redaction-compare recognizers fuzz
REDACTION := $(BIN)/python benchmarks/redaction
SECONDS_OF_FUZZING ?= 600

bench-redaction: install ## speed, evasion, look-alikes, vaults; recall and streams too with DATA=folder
	$(REDACTION)/speed.py $(if $(DATA),--data $(DATA))
	$(REDACTION)/evasion.py --count 200
	$(REDACTION)/lookalikes.py
	$(REDACTION)/vaults.py
	$(if $(DATA),$(REDACTION)/recall.py --data $(DATA))
	$(if $(DATA),$(REDACTION)/streams.py --data $(DATA))

bench-names: install ## what finding names costs, with the built-in tagger or BUNDLE=folder
	PYTHONPATH=. $(REDACTION)/names.py $(if $(BUNDLE),--bundle $(BUNDLE))

bench-heldout: install ## the same questions on values, carriers and transforms that no pattern was tuned on
	$(REDACTION)/heldout.py

redaction-compare: install ## writes docs/presidio.md: Presidio beside Cloister (DATA=folder)
	$(REDACTION)/compare.py --data $(DATA) --out docs/presidio.md

recognizers: install ## writes docs/recognizers.md from the code
	$(BIN)/python docs/recognizers_table.py

fuzz: install ## feeds generated texts to redaction with atheris (SECONDS_OF_FUZZING=600)
	$(PIP) install -q -c constraints.txt atheris
	$(REDACTION)/fuzz.py -max_total_time=$(SECONDS_OF_FUZZING)
