// Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. With .NET 6 or newer alone; the
// program's file in a project made by `dotnet new console`: dotnet run -- ASSERTION ...
// Microsoft.IdentityModel.JsonWebTokens does the same (see docs/assertion.md).

using System;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

static class Verify
{
    static readonly HttpClient Http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };

    static void Main(string[] args)
    {
        foreach (string assertion in args)
        {
            try
            {
                Console.WriteLine(Claims(assertion).GetProperty("email").GetString());
            }
            catch (Exception refused) when (refused is FormatException || refused is JsonException || refused is CryptographicException)
            {
                Console.WriteLine("refused: " + refused.Message);
            }
        }
    }

    static JsonElement Claims(string assertion)
    {
        string[] parts = assertion.Split('.');
        Require(parts.Length == 3, "not three parts");
        JsonElement header = JsonDocument.Parse(Decode(parts[0])).RootElement;
        // The algorithm is ours to choose, never the token's.
        Require(Text(header, "alg") == "ES256", "another algorithm");
        using (ECDsa key = PublicKey(Text(header, "kid")))
        {
            // .NET takes the two numbers side by side, as RFC 7518 3.4 has them.
            byte[] input = Encoding.ASCII.GetBytes(parts[0] + "." + parts[1]);
            Require(key.VerifyData(input, Decode(parts[2]), HashAlgorithmName.SHA256), "the signature is not right");
        }
        JsonElement claims = JsonDocument.Parse(Decode(parts[1])).RootElement;
        Require(Text(claims, "iss") == Environment.GetEnvironmentVariable("ASSERTION_ISSUER"), "another issuer");
        Require(Text(claims, "aud") == Environment.GetEnvironmentVariable("ASSERTION_AUDIENCE"), "another audience");
        bool lives = claims.TryGetProperty("exp", out JsonElement exp) && exp.GetInt64() > DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        Require(lives, "it has run out");
        return claims;
    }

    // Remember the keys; fetch them again when a kid is unknown, once a minute at most.
    static ECDsa PublicKey(string kid)
    {
        string set = Http.GetStringAsync(Environment.GetEnvironmentVariable("JWKS_URL")).GetAwaiter().GetResult();
        foreach (JsonElement key in JsonDocument.Parse(set).RootElement.GetProperty("keys").EnumerateArray())
        {
            if (kid == null || Text(key, "kid") != kid || Text(key, "crv") != "P-256") continue;
            var point = new ECPoint { X = Decode(Text(key, "x")), Y = Decode(Text(key, "y")) };
            return ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = point });
        }
        throw new FormatException("no key of that kid");
    }

    static string Text(JsonElement json, string name)
    {
        return json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    static byte[] Decode(string part)
    {
        string base64 = part.Replace('-', '+').Replace('_', '/');
        return Convert.FromBase64String(base64.PadRight((base64.Length + 3) / 4 * 4, '='));
    }

    static void Require(bool ok, string why)
    {
        if (!ok) throw new FormatException(why);
    }
}
