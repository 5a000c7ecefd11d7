.PHONY: bench-audit audit-sweep

bench-audit: install ## the audit log's figures; run nothing else meanwhile
	$(BIN)/python -m benchmarks.audit

audit-sweep: install ## 10,000 mutations of a log, 10,000 untouched logs, 500 killed writers
	AUDIT_MUTATIONS=10000 AUDIT_COPIES=10000 AUDIT_KILLS=500 $(BIN)/python -m pytest -q tests/privacy/audit/test_check.py tests/privacy/audit/test_kill.py
