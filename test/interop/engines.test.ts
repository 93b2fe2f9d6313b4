/** Query engines that take a scan as a stream of Arrow, and whose results are written back: nothing but Arrow's C stream interface between. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Lake, openLake } from '../e2e/lake.ts';

const rows = 50_000;
let lake: Lake;

before(async () => {
  lake = await openLake();
  await lake.run(
    `
import datetime, decimal, os
import polars as pl
# gRPC gives a small message as it lies in its read buffer, whoever sent it; pyarrow's engine, through which DuckDB reads, says so
# for every batch.
os.environ["ACERO_ALIGNMENT_HANDLING"] = "ignore"
n = input
start = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
orders = pa.table({
    "id": pa.array(range(n), pa.int64()),
    "region": [None if at % 11 == 10 else ["north", "süd", "東"][at % 3] for at in range(n)],
    "price": pa.array([decimal.Decimal(at % 1000).scaleb(-2) for at in range(n)], pa.decimal128(9, 2)),
    "at": pa.array([start + datetime.timedelta(minutes=at) for at in range(n)], pa.timestamp("us", tz="UTC")),
    "score": pa.array([None if at % 7 == 6 else at / 8 for at in range(n)], pa.float64()),
    "tags": pa.array([["a", "b", "c"][: at % 4] for at in range(n)], pa.list_(pa.string())),
    "home": pa.array([{"zip": at % 97, "city": f"city {at % 5}"} for at in range(n)],
                     pa.struct([("zip", pa.int32()), ("city", pa.string())])),
})
client.put("bronze.orders", orders, mode="create", partition_by=["day(at)"])
def plain(table):
    "The rows in the order of ids, as Python values."
    return sorted(table.to_pylist(), key=lambda row: row["id"])
written = orders.to_pylist()
`,
    rows,
  );
});
after(() => lake?.[Symbol.asyncDispose]());

const forms = [{}, { shards: 4, compression: 'zstd' }, { shards: 2, compression: 'lz4' }] satisfies readonly Readonly<
  Record<string, unknown>
>[];

for (const form of forms) {
  test(`DuckDB reads the stream of a scan with ${JSON.stringify(form)}, every value of it`, async () => {
    const source = `
reader = client.scan("bronze.orders", **input).reader()
output = plain(duck.sql("SELECT * FROM reader").to_arrow_table()) == written
`;
    assert.equal(await lake.run(source, form), true);
  });

  test(`Polars reads the stream of a scan with ${JSON.stringify(form)}, every value of it`, async () => {
    const source = `
frame = pl.DataFrame(client.scan("bronze.orders", **input).reader())
output = frame.sort("id").to_dicts() == written
`;
    assert.equal(await lake.run(source, form), true);
  });
}

test('DuckDB and Polars aggregate what a filtered scan gives as pyarrow does on the whole table', async () => {
  const source = `
import pyarrow.compute as pc
where = "region = 'süd' AND at < TIMESTAMP '2024-01-20T00:00:00Z' AND score >= 10"
scan = client.scan("bronze.orders", columns=["score", "price"], filter=where)
reader = scan.reader()
by_duckdb = duck.sql("SELECT count(*), sum(price), max(score) FROM reader").fetchone()
frame = pl.DataFrame(scan.reader())
by_polars = (frame.height, frame["price"].sum(), frame["score"].max())
kept = orders.filter((pc.field("region") == "süd") & (pc.field("at") < start + datetime.timedelta(days=19)) & (pc.field("score") >= 10))
expected = (kept.num_rows, pc.sum(kept["price"]).as_py(), pc.max(kept["score"]).as_py())
output = [by_duckdb == expected, by_polars == expected, kept.num_rows]
`;
  const [byDuckdb, byPolars, kept] = await lake.run<[boolean, boolean, number]>(source);
  assert.ok(kept > 1_000);
  assert.equal(byDuckdb, true);
  assert.equal(byPolars, true);
});

test('streams with dictionaries are read by DuckDB and Polars as well', async () => {
  const source = `
import pyarrow.flight as fl
port, token = input
options = fl.FlightCallOptions(headers=[(b"authorization", b"Bearer " + token.encode())])
with fl.connect(f"grpc://127.0.0.1:{port}") as flight:
    request = json.dumps({"table": "bronze.orders", "dictionaries": True, "compression": "zstd"})
    info = flight.get_flight_info(fl.FlightDescriptor.for_command(request), options)
    received = flight.do_get(info.endpoints[0].ticket, options).read_all()
reader = received.to_reader()
by_duckdb = duck.sql("SELECT * REPLACE (region::VARCHAR AS region) FROM reader").to_arrow_table()
by_polars = pl.DataFrame(received).with_columns(pl.col("region").cast(pl.String)).sort("id").to_dicts()
output = [str(received.schema.field("region").type), plain(by_duckdb) == written, by_polars == written]
`;
  const [type, byDuckdb, byPolars] = await lake.run<[string, boolean, boolean]>(source, [
    lake.server.flight,
    lake.token,
  ]);
  assert.match(type, /^dictionary<values=string/);
  assert.equal(byDuckdb, true);
  assert.equal(byPolars, true);
});

test('what DuckDB computes is written back as a table', async () => {
  const source = `
reader = client.scan("bronze.orders").reader()
daily = duck.sql("""
    SELECT CAST("at" AS DATE) AS day, region, count(*) AS orders, sum(score) AS score FROM reader GROUP BY ALL
""")
put = client.put("bronze.daily", daily, mode="create")
read = client.scan("bronze.daily").table()
output = [put.rows, read.num_rows, sum(read["orders"].to_pylist()), read.schema.names]
`;
  const [put, read, orders, names] = await lake.run<[number, number, number, string[]]>(source);
  assert.equal(put, read);
  assert.equal(orders, rows);
  assert.deepEqual(names, ['day', 'region', 'orders', 'score']);
});

test('what Polars holds is written back as a table, its large strings and views included', async () => {
  const source = `
frame = pl.DataFrame(client.scan("bronze.orders").reader()).with_columns(pl.col("region").str.to_uppercase())
put = client.put("bronze.upper", frame, mode="create")
read = client.scan("bronze.upper").table()
output = [put.rows, str(read.schema.field("region").type), read.sort_by("id").to_pylist() == frame.sort("id").to_dicts()]
`;
  assert.deepEqual(await lake.run(source), [rows, 'string', true]);
});
