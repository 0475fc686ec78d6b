package org.apache.flume.channel.file;

import java.io.File;
import java.io.FileOutputStream;
import java.io.RandomAccessFile;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.zip.CRC32;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.channel.file.instrumentation.FileChannelCounter;
import org.apache.flume.conf.Configurables;
import org.apache.flume.event.EventBuilder;

// MakeChannel make STATE DIR  brings a file channel in DIR into a state, and is
//                             killed in the middle of its work
// MakeChannel drain DIR       prints the events that Flume takes from it
public class MakeChannel {
  static File dir;
  static FileChannel channel;
  static int number;

  public static void main(String[] args) throws Exception {
    dir = new File(args[args.length - 1]).getCanonicalFile();
    try {
      if (args[0].equals("drain")) {
        drain();
      } else {
        MakeChannel.class.getDeclaredMethod(args[1]).invoke(null);
      }
    } catch (Exception e) {
      e.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
    System.out.flush();
    Runtime.getRuntime().halt(0); // as kill -9 does: nothing is closed, no hook runs
  }

  // The states.

  static void plain() throws Exception { // state
    open("capacity", "100");
    put(3).commit();
    put(2).rollback();
    put(4).commit();
    take(2).commit();
    take(3).rollback();
    put(1).commit();
    odd();
    put(2); // never committed
    take(2); // never committed
  }

  static void closed() throws Exception { // state
    open("capacity", "100");
    put(5).commit();
    take(2).commit();
    channel.stop();
  }

  static void empty() throws Exception { // state
    open("capacity", "100");
    put(5).commit();
    take(5).commit();
  }

  static void logs() throws Exception { // state
    open("capacity", "100", "maxFileSize", "1000");
    for (int i = 0; i < 12; i++) {
      put(4).commit();
      take(3).commit();
      if (i % 3 == 2) {
        checkpoint();
      }
    }
    take(1).commit();
    put(3);
  }

  static void nocheckpoint() throws Exception { // state
    logs();
    for (String name : new String[] {"checkpoint", "checkpoint.meta", "inflightputs", "inflighttakes"}) {
      Files.delete(new File(dir, "checkpoint/" + name).toPath());
    }
  }

  static void badcheckpoint() throws Exception { // state
    logs();
    spoil();
  }

  static void dirs() throws Exception { // state
    open("capacity", "200", "dataDirs", "data1,data2,data3", "maxFileSize", "1500");
    put(12).commit();
    for (int i = 0; i < 10; i++) {
      Open a = put(3);
      Open b = put(2);
      b.commit();
      Open c = take(4);
      a.commit();
      if (i == 4) {
        checkpoint();
      }
      if (i % 2 == 0) {
        c.commit();
      } else {
        c.rollback();
      }
    }
    put(1);
    take(1);
  }

  static void dirsnocheckpoint() throws Exception { // state
    dirs();
    spoil();
  }

  static void inflight() throws Exception { // state
    open("capacity", "100");
    put(10).commit();
    Open a = put(3);
    Open b = put(3);
    Open c = put(3);
    Open d = take(2);
    Open e = take(2);
    Open f = take(1);
    checkpoint();
    put(2).commit();
    a.commit();
    b.rollback();
    d.commit();
    f.rollback();
    put(1).commit();
  }

  static void retaken() throws Exception { // state
    open("capacity", "100");
    put(6).commit();
    Open a = take(3);
    checkpoint();
    a.rollback();
    take(2).commit();
  }

  static void dual() throws Exception { // state
    open("capacity", "100", "useDualCheckpoints", "true");
    logs(8);
    backup();
    put(2).commit();
    checkpoint();
    take(2).commit();
    spoil();
  }

  static void dualsnappy() throws Exception { // state
    open("capacity", "100", "useDualCheckpoints", "true", "compressBackupCheckpoint", "true");
    logs(8);
    backup();
    take(2).commit();
    spoil();
  }

  static void encrypted() throws Exception { // state
    String[] crypt = {"capacity", "100", "maxFileSize", "1500",
        "encryption.keyProvider", "JCEKSFILE", "encryption.cipherProvider", "AESCTRNOPADDING",
        "encryption.keyProvider.keyStoreFile", "keys.jceks",
        "encryption.keyProvider.keyStorePasswordFile", "store.password",
        "encryption.keyProvider.keys", "key-1 key-2",
        "encryption.keyProvider.keys.key-1.passwordFile", "key-1.password",
        "encryption.activeKey", "key-1"};
    open(crypt);
    logs(8);
    channel.stop();
    crypt[crypt.length - 1] = "key-2";
    open(crypt);
    logs(8);
    put(2);
  }

  static void noop() throws Exception { // state
    open("capacity", "100");
    put(5).commit();
    channel.stop();
    RandomAccessFile log = new RandomAccessFile(new File(dir, "data1/log-1"), "rw");
    log.seek(1);
    int length = log.readInt();
    log.close();
    LogFile.OperationRecordUpdater u = new LogFile.OperationRecordUpdater(new File(dir, "data1/log-1"));
    u.markRecordAsNoop(5 + length);
    u.close();
  }

  // Version 2 is what Flume 1.2 wrote. Flume 1.11 has the code for its records, but
  // writes them with a length that it does not read, so files are put together here.
  static void version2() throws Exception { // state
    save("capacity", "100");
    new File(dir, "data1").mkdirs();
    RandomAccessFile log = new RandomAccessFile(new File(dir, "data1/log-1"), "rw");
    version2Log(log, 1);
    log.close();
  }

  static void version2checkpoint() throws Exception { // state
    save("capacity", "100");
    new File(dir, "data1").mkdirs();
    new File(dir, "checkpoint").mkdirs();
    RandomAccessFile log = new RandomAccessFile(new File(dir, "data1/log-1"), "rw");
    long[] places = version2Log(log, 1);
    File file = new File(dir, "checkpoint/checkpoint");
    EventQueueBackingStoreFileV2 store = new EventQueueBackingStoreFileV2(file, 100, "c1", new FileChannelCounter("c1"));
    WriteOrderOracle.setSeed(50);
    FlumeEventQueue queue = new FlumeEventQueue(store, new File(dir, "checkpoint/inflighttakes"),
        new File(dir, "checkpoint/inflightputs"), new File(dir, "checkpoint/queueset"));
    for (long place : places) {
      queue.addTail(new FlumeEventPointer(1, (int) place));
    }
    queue.checkpoint(true);
    long order = store.getLogWriteOrderID();
    long end = log.length();
    log.seek(8);
    log.writeLong(end);
    log.writeLong(order);
    log.seek(end);
    write2(log, new Take(60L, order + 1, (int) places[0], 1));
    write2(log, new Commit(60L, order + 2, (short) 2));
    put2(log, 61, order + 3, "after the checkpoint");
    write2(log, new Commit(61L, order + 4, (short) 1));
    log.close();
  }

  static long[] version2Log(RandomAccessFile log, int id) throws Exception {
    log.writeInt(2);
    log.writeInt(id);
    log.writeLong(0);
    log.writeLong(0);
    long a = put2(log, 10, 11, "one");
    long b = put2(log, 10, 12, "two");
    write2(log, new Commit(10L, 13L, (short) 1));
    long c = put2(log, 14, 15, new String(new char[700]).replace('\0', 'x'));
    write2(log, new Commit(14L, 16L, (short) 1));
    write2(log, new Take(17L, 18L, (int) a, id));
    write2(log, new Commit(17L, 19L, (short) 2));
    put2(log, 20, 21, "rolled back");
    write2(log, new Rollback(20L, 22L));
    write2(log, new Take(23L, 24L, (int) b, id));
    put2(log, 25, 26, "never committed");
    return new long[] {b, c};
  }

  static long put2(RandomAccessFile log, long txn, long order, String body) throws Exception {
    Map<String, String> headers = new HashMap<>();
    headers.put("n", "" + order);
    headers.put("schlüssel", new String(new char[200]).replace('\0', 'v'));
    long at = log.getFilePointer();
    write2(log, new Put(txn, order, new FlumeEvent(headers, body.getBytes(StandardCharsets.UTF_8))));
    return at;
  }

  static void write2(RandomAccessFile log, TransactionEventRecord r) throws Exception {
    ByteBuffer b = TransactionEventRecord.toByteBufferV2(r);
    log.write(LogFile.OP_RECORD);
    log.write(b.array(), 0, b.limit());
  }

  // What states are made of.

  static void logs(int n) throws Exception {
    for (int i = 0; i < n; i++) {
      put(4).commit();
      take(3).commit();
      if (i % 3 == 2) {
        checkpoint();
        if (new File(dir, "backup").isDirectory()) {
          backup();
        }
      }
    }
  }

  static void odd() throws Exception {
    Open o = new Open();
    o.run(() -> {
      Map<String, String> headers = new HashMap<>();
      headers.put("nothing", null);
      headers.put("empty", "");
      headers.put("clé", "värde €\n");
      channel.put(EventBuilder.withBody(new byte[0], headers));
      channel.put(EventBuilder.withBody(new byte[1200000], headers));
      channel.put(EventBuilder.withBody(new byte[] {(byte) 0x7f, (byte) 0x80, 0, (byte) 0xff}));
      return null;
    });
    o.commit();
  }

  static void spoil() throws Exception {
    RandomAccessFile f = new RandomAccessFile(new File(dir, "checkpoint/checkpoint"), "rw");
    f.seek(4 * 8);
    f.writeLong(1); // it was being written
    f.close();
  }

  static void backup() throws Exception {
    File done = new File(dir, "backup/backupComplete");
    long start = new File(dir, "checkpoint/checkpoint.meta").lastModified();
    while (!done.exists() || done.lastModified() < start) {
      Thread.sleep(10);
    }
    Thread.sleep(1100);
  }

  static void checkpoint() throws Exception {
    Method m = Log.class.getDeclaredMethod("writeCheckpoint", Boolean.class);
    m.setAccessible(true);
    m.invoke(channel.getLog(), true);
  }

  // Open is a transaction, which belongs to a thread in Flume.
  static class Open {
    ExecutorService thread = Executors.newSingleThreadExecutor();
    Transaction txn;

    Open() throws Exception {
      run(() -> {
        txn = channel.getTransaction();
        txn.begin();
        return null;
      });
    }

    void run(Callable<Void> what) throws Exception {
      thread.submit(what).get();
    }

    void commit() throws Exception {
      run(() -> { txn.commit(); txn.close(); return null; });
      thread.shutdown();
    }

    void rollback() throws Exception {
      run(() -> { txn.rollback(); txn.close(); return null; });
      thread.shutdown();
    }
  }

  static Open put(int n) throws Exception {
    Open o = new Open();
    o.run(() -> {
      for (int i = 0; i < n; i++) {
        number++;
        Map<String, String> headers = new HashMap<>();
        headers.put("n", "" + number);
        channel.put(EventBuilder.withBody("event " + number, StandardCharsets.UTF_8, headers));
      }
      return null;
    });
    return o;
  }

  static Open take(int n) throws Exception {
    Open o = new Open();
    o.run(() -> {
      for (int i = 0; i < n; i++) {
        if (channel.take() == null) {
          throw new IllegalStateException("nothing to take");
        }
      }
      return null;
    });
    return o;
  }

  static void save(String... pairs) throws Exception {
    Properties p = new Properties();
    p.setProperty("checkpointDir", "checkpoint");
    p.setProperty("dataDirs", "data1");
    p.setProperty("minimumRequiredSpace", "1048576");
    p.setProperty("checkpointInterval", "3600000");
    p.setProperty("transactionCapacity", "50");
    for (int i = 0; i < pairs.length; i += 2) {
      p.setProperty(pairs[i], pairs[i + 1]);
    }
    if (p.getProperty("useDualCheckpoints") != null) {
      p.setProperty("backupCheckpointDir", "backup");
    }
    try (FileOutputStream out = new FileOutputStream(new File(dir, "properties"))) {
      p.store(out, null);
    }
  }

  static void open(String... pairs) throws Exception {
    save(pairs);
    start();
  }

  static void start() throws Exception {
    Properties p = new Properties();
    p.load(Files.newBufferedReader(new File(dir, "properties").toPath()));
    Context context = new Context();
    for (String key : p.stringPropertyNames()) {
      String value = p.getProperty(key);
      if (key.endsWith("Dir") || key.endsWith("Dirs") || key.endsWith("File")) {
        StringBuilder all = new StringBuilder();
        for (String name : value.split(",")) {
          all.append(all.length() > 0 ? "," : "").append(new File(dir, name));
        }
        value = all.toString();
      }
      context.put(key, value);
    }
    channel = new FileChannel();
    channel.setName("c1");
    Configurables.configure(channel, context);
    channel.start();
    if (!channel.isOpen()) {
      throw new IllegalStateException("the channel does not open");
    }
  }

  static void drain() throws Exception {
    start();
    while (true) {
      Transaction txn = channel.getTransaction();
      txn.begin();
      Event e = channel.take();
      txn.commit();
      txn.close();
      if (e == null) {
        break;
      }
      StringBuilder line = new StringBuilder();
      for (Map.Entry<String, String> h : new TreeMap<>(e.getHeaders()).entrySet()) {
        line.append(hex(h.getKey().getBytes(StandardCharsets.UTF_8))).append('=')
            .append(hex(h.getValue().getBytes(StandardCharsets.UTF_8))).append(' ');
      }
      CRC32 sum = new CRC32();
      sum.update(e.getBody());
      String text = new String(e.getBody(), StandardCharsets.ISO_8859_1);
      line.append(e.getBody().length).append(' ').append(String.format("%08x", sum.getValue()));
      if (text.matches("[ -~]{1,40}")) {
        line.append(' ').append(text);
      }
      System.out.println(line);
    }
  }

  static String hex(byte[] b) {
    return java.util.HexFormat.of().formatHex(b);
  }
}
