# The book on any machine, built and served by a user without rights:
#   docker build -t neural-couplings . && docker run --rm -p 8000:8000 neural-couplings
FROM python:3.11-slim AS built
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home reader
USER reader
WORKDIR /home/reader
COPY --chown=reader . book/
RUN make -C book pdf

FROM python:3.11-slim
RUN useradd --create-home reader
USER reader
WORKDIR /home/reader
COPY --from=built --chown=reader /home/reader/book/_build/html html/
EXPOSE 8000
CMD ["python", "-m", "http.server", "8000", "--directory", "html"]
