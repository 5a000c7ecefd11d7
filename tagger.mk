.PHONY: tagger tagger-figures tagger-layers

tagger: install ## the built-in English tagger from data to bundle (DATA=folder with the data sets)
	$(BIN)/python -m recipes.tagger.train $(DATA) .work/tagger --layers 5
	$(MAKE) tagger-figures

tagger-layers: install ## the same with other numbers of layers, for comparison (LAYERS="6 4 3")
	for n in $(or $(LAYERS),6 4 3); do \
	  $(BIN)/python -m recipes.tagger.train $(DATA) .work/tagger --layers $$n && \
	  $(BIN)/python -m recipes.tagger.figures .work/tagger .work/tagger/tagger-$$n .work/tagger/tagger-$$n-fp32 || exit 1; \
	done

tagger-figures: install ## figures of what `make tagger` made
	$(BIN)/python -m recipes.tagger.figures .work/tagger .work/tagger/tagger-5 .work/tagger/tagger-5-fp32

.PHONY: tagger-chinese

tagger-chinese: install ## the Chinese tagger, which is not shipped, from data to bundle, then its figures
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[recipes]'
	$(BIN)/python -m recipes.tagger.chinese_train .work/tagger-chinese
	$(BIN)/python -m recipes.tagger.chinese_figures .work/tagger-chinese/bundle
