# The engine alone; the project (playbooks/, templates/) is mounted at /project.
FROM python:3.12-slim
WORKDIR /engine
COPY pyproject.toml constraints.txt README.md ./
COPY sop_engine ./sop_engine
RUN pip install --no-cache-dir --constraint constraints.txt . && useradd --create-home sop
USER sop
WORKDIR /project
CMD ["sop", "run"]
