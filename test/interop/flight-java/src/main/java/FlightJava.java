import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.arrow.flight.AsyncPutListener;
import org.apache.arrow.flight.CallOption;
import org.apache.arrow.flight.CallOptions;
import org.apache.arrow.flight.FlightCallHeaders;
import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightDescriptor;
import org.apache.arrow.flight.FlightEndpoint;
import org.apache.arrow.flight.FlightRuntimeException;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.HeaderCallOption;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.PutResult;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.arrow.vector.types.pojo.Schema;

/**
 * Arrow Java's Flight client at the control and the data port: {@code FlightJava CONTROL_URI DATA_URI TOKEN TABLE}. Prints what each
 * scenario saw as one JSON object of texts; the test that runs it says what that should be.
 */
public final class FlightJava {
  private static final int BATCHES = 20;
  private static final int BATCH_ROWS = 50_000;
  private static final int READY_WAITS = 200;
  private static final Schema SCHEMA =
      new Schema(
          List.of(
              new Field("id", FieldType.nullable(new ArrowType.Int(64, true)), null),
              new Field("name", FieldType.nullable(ArrowType.Utf8.INSTANCE), null)));

  private final RootAllocator allocator = new RootAllocator();
  private final FlightClient control;
  private final FlightClient data;
  private final CallOption token;
  private final String table;

  private FlightJava(String controlUri, String dataUri, String token, String table) throws Exception {
    this.control = FlightClient.builder(allocator, new Location(controlUri)).build();
    this.data = FlightClient.builder(allocator, new Location(dataUri)).build();
    this.token = bearer(token);
    this.table = table;
  }

  public static void main(String[] arguments) throws Exception {
    FlightJava flight = new FlightJava(arguments[0], arguments[1], arguments[2], arguments[3]);
    Map<String, Callable<String>> scenarios = new LinkedHashMap<>();
    scenarios.put("put", () -> flight.put(flight.token));
    scenarios.put("putAgain", () -> flight.put(flight.token));
    scenarios.put("stranger", () -> flight.put(bearer("not a token")));
    scenarios.put("read", flight::read);
    scenarios.put("exchange", flight::exchange);
    scenarios.put("cancel", flight::cancel);
    scenarios.put("late", flight::late);
    scenarios.put("wrongPort", flight::wrongPort);
    scenarios.put("readAgain", flight::read);
    List<String> fields = new ArrayList<>();
    for (Map.Entry<String, Callable<String>> scenario : scenarios.entrySet()) {
      fields.add(quoted(scenario.getKey()) + ":" + quoted(outcome(scenario.getValue())));
    }
    System.out.println("{" + String.join(",", fields) + "}");
    System.exit(0);
  }

  private static String outcome(Callable<String> scenario) throws Exception {
    try {
      return scenario.call();
    } catch (FlightRuntimeException refused) {
      Iterable<String> codes = refused.status().metadata() == null ? List.of() : refused.status().metadata().getAll("headrace-error-code");
      return refused.status().code() + " " + String.join(",", codes) + " " + refused.status().description();
    }
  }

  private static CallOption bearer(String token) {
    FlightCallHeaders headers = new FlightCallHeaders();
    headers.insert("authorization", "Bearer " + token);
    return new HeaderCallOption(headers);
  }

  private static String quoted(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
  }

  private static FlightDescriptor command(String json) {
    return FlightDescriptor.command(json.getBytes(StandardCharsets.UTF_8));
  }

  private FlightDescriptor scan(String more) {
    return command("{\"table\":" + quoted(table) + more + "}");
  }

  private String put(CallOption caller) throws Exception {
    List<String> results = new ArrayList<>();
    AsyncPutListener listener =
        new AsyncPutListener() {
          @Override
          public void onNext(PutResult result) {
            byte[] bytes = new byte[(int) result.getApplicationMetadata().readableBytes()];
            result.getApplicationMetadata().getBytes(0, bytes);
            results.add(new String(bytes, StandardCharsets.UTF_8));
          }
        };
    FlightDescriptor descriptor = command("{\"table\":" + quoted(table) + ",\"mode\":\"create\"}");
    try (VectorSchemaRoot root = VectorSchemaRoot.create(SCHEMA, allocator)) {
      FlightClient.ClientStreamListener writer = data.startPut(descriptor, root, listener, caller);
      BigIntVector id = (BigIntVector) root.getVector("id");
      VarCharVector name = (VarCharVector) root.getVector("name");
      for (int batch = 0; batch < BATCHES; batch++) {
        for (int row = 0; row < BATCH_ROWS; row++) {
          id.setSafe(row, (long) batch * BATCH_ROWS + row);
          name.setSafe(row, ("name " + row % 100).getBytes(StandardCharsets.UTF_8));
        }
        root.setRowCount(BATCH_ROWS);
        // A call that was refused is never ready again.
        for (int waits = 0; !writer.isReady() && waits < READY_WAITS; waits++) {
          Thread.sleep(1);
        }
        writer.putNext();
      }
      writer.completed();
      writer.getResult();
    }
    return String.join(" ", results);
  }

  /** Rows and the sum of the ids of all endpoints, each read at its first location. */
  private String read() throws Exception {
    long[] seen = new long[2];
    for (FlightEndpoint endpoint : control.getInfo(scan(",\"shards\":3"), token).getEndpoints()) {
      try (FlightClient client = FlightClient.builder(allocator, endpoint.getLocations().get(0)).build();
          FlightStream stream = client.getStream(endpoint.getTicket(), token)) {
        drain(stream, seen);
      }
    }
    return seen[0] + " rows, sum " + seen[1];
  }

  private String exchange() throws Exception {
    long[] seen = new long[2];
    try (FlightClient.ExchangeReaderWriter exchange = data.doExchange(scan(""), token)) {
      exchange.getWriter().completed();
      drain(exchange.getReader(), seen);
    }
    return seen[0] + " rows, sum " + seen[1];
  }

  private static void drain(FlightStream stream, long[] seen) {
    while (stream.next()) {
      BigIntVector id = (BigIntVector) stream.getRoot().getVector("id");
      seen[0] += stream.getRoot().getRowCount();
      for (int row = 0; row < stream.getRoot().getRowCount(); row++) {
        seen[1] += id.get(row);
      }
    }
  }

  private String cancel() throws Exception {
    FlightEndpoint endpoint = control.getInfo(scan(",\"batch_rows\":1000"), token).getEndpoints().get(0);
    try (FlightStream stream = data.getStream(endpoint.getTicket(), token)) {
      stream.next();
      stream.cancel("enough", null);
      while (stream.next()) {}
    }
    return "ended";
  }

  /** An exchange that never says what it is about. */
  private String late() throws Exception {
    try (FlightClient.ExchangeReaderWriter exchange =
        data.doExchange(scan(""), token, CallOptions.timeout(1, TimeUnit.MILLISECONDS))) {
      Thread.sleep(200);
      exchange.getReader().next();
    }
    return "ended";
  }

  private String wrongPort() {
    data.getInfo(scan(""), token);
    return "planned";
  }
}
