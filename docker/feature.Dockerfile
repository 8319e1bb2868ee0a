FROM python:3.11-slim
WORKDIR /app
COPY services/common/requirements.txt services/common/requirements.txt
COPY services/feature/requirements.txt services/feature/requirements.txt
COPY constraints.txt constraints.txt
RUN pip install --no-cache-dir -c constraints.txt -r services/common/requirements.txt -r services/feature/requirements.txt
COPY protos protos
COPY services/common services/common
COPY services/feature services/feature
RUN useradd --uid 10001 planogram && mkdir var && chown planogram var
USER planogram
ENV PYTHONPATH=/app:/app/protos PYTHONUNBUFFERED=1 PLANOGRAM_FEATURE_LISTEN=0.0.0.0:7071 PLANOGRAM_FEATURE_METRICS_LISTEN=0.0.0.0:9071 NUMBA_CACHE_DIR=/app/var/numba
EXPOSE 7071 9071
HEALTHCHECK --start-period=120s CMD ["python", "-m", "services.common.probe", "127.0.0.1:7071"]
CMD ["python", "-m", "services.feature"]
