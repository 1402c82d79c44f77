"""What talks to the server: `sessions` how to reach it, `client` one query with retries, `failures` what errors mean,
`wire` an answer decoded, `chunks` a long range as many small queries, `probe` which of several queries it can answer.
"""
