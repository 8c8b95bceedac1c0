# The application in a container: the run lock, this tree, no tools for development, no secret.
FROM python:3.11-slim-bookworm

# Compiled once in the image: a container that starts anew need not do it again.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1
WORKDIR /app

COPY requirements/ requirements/
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements/bootstrap.lock \
 && uv pip sync --system --require-hashes --only-binary :all: requirements/run.lock

COPY pyproject.toml README.md LICENSE ./
COPY mediation/ mediation/
COPY projections/ projections/
COPY api/ api/
RUN uv pip install --system --no-deps --no-build-isolation --no-index .

RUN useradd --system --create-home --home-dir /var/lib/mediation mediation
USER mediation
ENV MEDIATION_DATA_DIR=/var/lib/mediation MEDIATION_HOST=0.0.0.0 MEDIATION_PORT=8000
EXPOSE 8000

ENTRYPOINT ["mediation"]
CMD ["serve"]
