# The engine alone, for every service of docker-compose.yml; the project (playbooks/, templates/) is mounted at /project.
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /engine

# What it stands on changes seldom, so this layer is kept while the engine changes.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['otel'], sep='\n')" > needed.txt \
 && pip install --constraint constraints.txt --requirement needed.txt

COPY README.md ./
COPY sop_engine ./sop_engine
RUN pip install --no-deps . && useradd --create-home --uid 10001 sop

USER sop
WORKDIR /project
STOPSIGNAL SIGTERM
EXPOSE 8070
CMD ["sop", "run"]
