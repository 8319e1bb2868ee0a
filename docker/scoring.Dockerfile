FROM python:3.11-slim
WORKDIR /app
COPY services/common/requirements.txt services/common/requirements.txt
COPY services/scoring/requirements.txt services/scoring/requirements.txt
COPY services/common/onnxruntime-gpu.txt services/common/onnxruntime-gpu.txt
COPY constraints.txt constraints.txt
RUN pip install --no-cache-dir -c constraints.txt -r services/common/requirements.txt -r services/scoring/requirements.txt -r services/common/onnxruntime-gpu.txt
COPY protos protos
COPY services/common services/common
COPY services/scoring services/scoring
RUN useradd --uid 10001 planogram && mkdir var && chown planogram var
USER planogram
ENV PYTHONPATH=/app:/app/protos PYTHONUNBUFFERED=1 PLANOGRAM_SCORING_LISTEN=0.0.0.0:7072 PLANOGRAM_SCORING_METRICS_LISTEN=0.0.0.0:9072 NUMBA_CACHE_DIR=/app/var/numba
EXPOSE 7072 9072
HEALTHCHECK --start-period=120s CMD ["python", "-m", "services.common.probe", "127.0.0.1:7072"]
CMD ["python", "-m", "services.scoring"]
