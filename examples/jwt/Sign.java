// Makes the token that logs an agent in: java Sign.java EMAIL [NAME]
// With Java alone (11 or newer); Nimbus JOSE + JWT makes the same token (see docs/jwt.md).

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Sign {
    public static void main(String[] args) throws Exception {
        String secret = System.getenv().getOrDefault("PORTAL_SECRET", "");
        if (secret.getBytes(StandardCharsets.UTF_8).length < 32 || args.length < 1) {
            System.err.println("usage: PORTAL_SECRET=(at least 32 bytes) java Sign.java EMAIL [NAME]");
            System.exit(2);
        }
        String name = args.length > 1 ? ",\"name\":" + quote(args[1]) : "";
        String claims = "{\"email\":" + quote(args[0]) + name
            + ",\"iat\":" + Instant.now().getEpochSecond()
            + ",\"jti\":" + quote(UUID.randomUUID().toString()) + "}";
        String input = part(bytes("{\"alg\":\"HS256\",\"typ\":\"JWT\"}")) + "." + part(bytes(claims));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(bytes(secret), "HmacSHA256"));
        System.out.println(input + "." + part(mac.doFinal(bytes(input))));
    }

    /** A JSON string (RFC 8259, section 7). */
    static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\' || c < 0x20) quoted.append(String.format("\\u%04x", (int) c));
            else quoted.append(c);
        }
        return quoted.append('"').toString();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String part(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }
}
