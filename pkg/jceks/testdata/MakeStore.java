import java.io.FileOutputStream;
import java.security.KeyStore;
import java.util.HexFormat;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.*;

// MakeStore DIR writes keystore.jceks, and prints the keys of the stores in DIR
// and text sealed with a salt whose halves are the same.
class MakeStore {
  public static void main(String[] args) throws Exception {
    HexFormat hex = HexFormat.of();
    KeyStore ks = KeyStore.getInstance("JCEKS");
    ks.load(null, null);
    char[] pass = "pässword €".toCharArray();
    ks.setKeyEntry("Aes", new SecretKeySpec(hex.parseHex("000102030405060708090a0b0c0d0e0f"), "AES"), "one".toCharArray(), null);
    SecretKey pbe = SecretKeyFactory.getInstance("PBE").generateSecret(new PBEKeySpec("a password kept".toCharArray()));
    ks.setKeyEntry("pbe", pbe, "two".toCharArray(), null);
    SecretKey des = SecretKeyFactory.getInstance("DES").generateSecret(new DESKeySpec(hex.parseHex("0102040708080b0d")));
    ks.setKeyEntry("des", des, " ~".toCharArray(), null);
    try (FileOutputStream out = new FileOutputStream(args[0] + "/keystore.jceks")) {
      ks.store(out, pass);
    }
    ks = KeyStore.getInstance("JCEKS");
    ks.load(null, null);
    try (FileOutputStream out = new FileOutputStream(args[0] + "/empty.jceks")) {
      ks.store(out, new char[0]);
    }
    print(hex, args[0] + "/keystore.jceks", pass, "aes", "one", "pbe", "two", "des", " ~");
    print(hex, args[0] + "/keytool.jceks", "keyStorePassword".toCharArray(),
        "key-1", "keyPassword1", "key-2", "keyStorePassword", "des", "keyStorePassword");

    Cipher c = Cipher.getInstance("PBEWithMD5AndTripleDES");
    SecretKey k = SecretKeyFactory.getInstance("PBEWithMD5AndTripleDES").generateSecret(new PBEKeySpec("secret".toCharArray()));
    for (String salt : new String[] {"0102030401020304", "0102030405060708"}) {
      c.init(Cipher.ENCRYPT_MODE, k, new PBEParameterSpec(hex.parseHex(salt), 7));
      System.out.println(salt + " " + hex.formatHex(c.doFinal("sixteen bytes ok".getBytes())));
    }
  }

  static void print(HexFormat hex, String file, char[] pass, String... keys) throws Exception {
    KeyStore ks = KeyStore.getInstance(new java.io.File(file), pass);
    for (int i = 0; i < keys.length; i += 2) {
      java.security.Key k = ks.getKey(keys[i], keys[i + 1].toCharArray());
      System.out.println(file + " " + keys[i] + " " + k.getAlgorithm() + " " + hex.formatHex(k.getEncoded()));
    }
  }
}
