.PHONY: tagger tagger-figures

tagger: install ## the built-in English tagger from data to bundle (DATA=folder with the data sets); an hour on two cores
	$(BIN)/python -m recipes.tagger.train $(DATA) .work/tagger --layers 6
	$(BIN)/python -m recipes.tagger.train $(DATA) .work/tagger --layers 3
	$(MAKE) tagger-figures

tagger-figures: install ## figures of what `make tagger` made
	$(BIN)/python -m recipes.tagger.figures .work/tagger .work/tagger/tagger-6 .work/tagger/tagger-6-fp32
	$(BIN)/python -m recipes.tagger.figures .work/tagger .work/tagger/tagger-3 .work/tagger/tagger-3-fp32

.PHONY: tagger-chinese

tagger-chinese: install ## the Chinese tagger, which is not shipped, from data to bundle, then its figures; a few minutes
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[recipes]'
	$(BIN)/python -m recipes.tagger.chinese_train .work/tagger-chinese
	$(BIN)/python -m recipes.tagger.chinese_figures .work/tagger-chinese/bundle
