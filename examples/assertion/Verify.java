// Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. java Verify.java ASSERTION ...
// With Java alone (11 or newer). Java has no JSON reader of its own: a program that has one reads the claims with that;
// Nimbus JOSE + JWT does all of it (see docs/assertion.md).

import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Verify {
    public static void main(String[] args) throws Exception {
        for (String assertion : args) {
            try {
                System.out.println(text(verify(assertion), "email"));
            } catch (IllegalArgumentException refused) {
                System.out.println("refused: " + refused.getMessage());
            }
        }
    }

    /** The claims of a good assertion, as JSON. */
    static String verify(String assertion) throws Exception {
        String[] parts = assertion.split("\\.", -1);
        require(parts.length == 3, "not three parts");
        String header = decoded(parts[0]);
        // The algorithm is ours to choose, never the token's.
        require("ES256".equals(text(header, "alg")), "another algorithm");
        Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
        signature.initVerify(publicKey(text(header, "kid")));
        signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
        byte[] bytes = Base64.getUrlDecoder().decode(parts[2]);
        require(bytes.length == 64 && signature.verify(bytes), "the signature is not right");
        String claims = decoded(parts[1]);
        require(System.getenv("ASSERTION_ISSUER").equals(text(claims, "iss")), "another issuer");
        require(System.getenv("ASSERTION_AUDIENCE").equals(text(claims, "aud")), "another audience");
        Matcher exp = Pattern.compile("\"exp\":(\\d{1,12})[,}]").matcher(claims);
        require(exp.find() && Long.parseLong(exp.group(1)) > Instant.now().getEpochSecond(), "it has run out");
        return claims;
    }

    /** Remember the keys; fetch them again when a kid is unknown, once a minute at most. */
    static PublicKey publicKey(String kid) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("JWKS_URL"))).timeout(Duration.ofSeconds(5)).build();
        // Java asks for HTTP/2 by an upgrade unless it is told not to.
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        String set = client.send(request, HttpResponse.BodyHandlers.ofString()).body();
        Matcher keys = Pattern.compile("\\{[^{}]*\\}").matcher(set);
        while (keys.find()) {
            String key = keys.group();
            if (kid == null || !kid.equals(text(key, "kid")) || !"P-256".equals(text(key, "crv"))) continue;
            AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
            curve.init(new ECGenParameterSpec("secp256r1"));
            ECPoint point = new ECPoint(number(text(key, "x")), number(text(key, "y")));
            ECParameterSpec parameters = curve.getParameterSpec(ECParameterSpec.class);
            return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, parameters));
        }
        throw new IllegalArgumentException("no key of that kid");
    }

    /** A string of a flat JSON object. A quote inside a JSON string is always escaped, so nothing in a value can pass for a name. */
    static String text(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? found.group(1) : null;
    }

    static BigInteger number(String part) {
        return new BigInteger(1, Base64.getUrlDecoder().decode(part));
    }

    static String decoded(String part) {
        return new String(Base64.getUrlDecoder().decode(part), StandardCharsets.UTF_8);
    }

    static void require(boolean ok, String why) {
        if (!ok) throw new IllegalArgumentException(why);
    }
}
