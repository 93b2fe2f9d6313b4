import java.io.FileInputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;
import org.apache.arrow.compression.CommonsCompressionFactory;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BaseFixedWidthVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.ipc.ArrowStreamReader;

/** Reads the Arrow IPC stream file that it is given and prints the rows and, for each column, the CRC-32 of its values as JSON. */
public final class ReadStream {
  public static void main(String[] arguments) throws Exception {
    long rows = 0;
    List<String> names = new ArrayList<>();
    List<CRC32> sums = new ArrayList<>();
    try (RootAllocator allocator = new RootAllocator();
        FileInputStream file = new FileInputStream(arguments[0]);
        ArrowStreamReader reader = new ArrowStreamReader(file, allocator, CommonsCompressionFactory.INSTANCE)) {
      for (FieldVector vector : reader.getVectorSchemaRoot().getFieldVectors()) {
        names.add(vector.getName());
        sums.add(new CRC32());
      }
      while (reader.loadNextBatch()) {
        rows += reader.getVectorSchemaRoot().getRowCount();
        for (int at = 0; at < names.size(); at++) {
          addColumn(reader.getVectorSchemaRoot().getVector(at), sums.get(at));
        }
      }
    }
    List<String> columns = new ArrayList<>();
    for (int at = 0; at < names.size(); at++) {
      columns.add("\"" + names.get(at) + "\":" + sums.get(at).getValue());
    }
    System.out.println("{\"rows\":" + rows + ",\"columns\":{" + String.join(",", columns) + "}}");
  }

  /** A null is a 0; a value is a 1, the length of a text as four bytes, and its bytes. */
  private static void addColumn(FieldVector vector, CRC32 sum) {
    for (int row = 0; row < vector.getValueCount(); row++) {
      sum.update(vector.isNull(row) ? 0 : 1);
      if (vector.isNull(row)) {
        continue;
      }
      if (vector instanceof VarCharVector texts) {
        byte[] text = texts.get(row);
        sum.update(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, text.length));
        sum.update(text);
      } else if (vector instanceof BaseFixedWidthVector values) {
        byte[] value = new byte[values.getTypeWidth()];
        values.getDataBuffer().getBytes((long) row * value.length, value);
        sum.update(value);
      } else {
        throw new IllegalStateException(vector.getField() + " is not expected");
      }
    }
  }
}
