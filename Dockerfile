# An image of the command line, with the extras that a fleet and its report need. compose.yaml uses it.
FROM python:3.13-slim
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY maker_graph maker_graph
RUN pip install --no-cache-dir '.[curate,fleet,plan]'
RUN useradd --create-home maker && install --directory --owner=maker /state /data
USER maker
WORKDIR /data
ENTRYPOINT ["maker-graph"]
