-- The figures of each stage of a run, with DuckDB. Put the run's folder in the place of RUN:
--   sed s,RUN,outputs/20260101_120000/model, stages.sql | duckdb
WITH
measured AS (
    SELECT * FROM read_parquet('RUN/*/requests.parquet') WHERE NOT warmup
),
totals AS (
    SELECT
        stage,
        count(*) AS requests,
        count(*) FILTER (NOT ok) AS failed,
        (max(completed_ns) - min(coalesce(sent_ns, due_ns))) / 1e9 AS duration_s
    FROM measured GROUP BY stage
),
successes AS (
    SELECT
        stage,
        count(*) AS succeeded,
        sum(output_tokens) AS output_tokens,
        avg(latency_ms) AS latency_mean_ms,
        quantile_cont(latency_ms, 0.99) AS latency_p99_ms,
        avg(ttft_ms) AS ttft_mean_ms,
        quantile_cont(ttft_ms, 0.99) AS ttft_p99_ms,
        avg(tpot_ms) AS tpot_mean_ms,
        quantile_cont(tpot_ms, 0.99) AS tpot_p99_ms
    FROM measured WHERE ok GROUP BY stage
),
gaps AS (
    SELECT stage, avg(itl) AS itl_mean_ms, quantile_cont(itl, 0.99) AS itl_p99_ms
    FROM (SELECT stage, unnest(itl_ms) AS itl FROM measured WHERE ok) GROUP BY stage
)
SELECT
    stage, requests, failed, duration_s,
    succeeded / duration_s AS request_rps,
    output_tokens / duration_s AS output_tps,
    latency_mean_ms, latency_p99_ms, ttft_mean_ms, ttft_p99_ms,
    tpot_mean_ms, tpot_p99_ms, itl_mean_ms, itl_p99_ms
FROM totals LEFT JOIN successes USING (stage) LEFT JOIN gaps USING (stage)
ORDER BY stage;
