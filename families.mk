.PHONY: families families-table

families: install ## every text model family of transformers, exported or refused as the table says (half an hour)
	FAMILIES=all $(BIN)/python -m pytest -q tests/export/test_every_family.py

families-table: install ## tries the families never tried, writes tests/data/families.json and docs/architectures.md anew
	$(BIN)/python -m tests.support.sweep
	$(BIN)/python docs/architectures_table.py
