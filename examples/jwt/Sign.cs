// Makes the token that logs an agent in. With .NET alone; the program's file in a project made by `dotnet new console`:
//   dotnet run -- EMAIL [NAME]          (with Mono: mcs Sign.cs && mono Sign.exe EMAIL [NAME])

using System;
using System.Security.Cryptography;
using System.Text;

static class Sign
{
    static int Main(string[] args)
    {
        byte[] secret = Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable("PORTAL_SECRET") ?? "");
        if (secret.Length < 32 || args.Length < 1)
        {
            Console.Error.WriteLine("usage: PORTAL_SECRET=(at least 32 bytes) dotnet run -- EMAIL [NAME]");
            return 2;
        }
        string name = args.Length > 1 ? ",\"name\":" + Quote(args[1]) : "";
        string claims = "{\"email\":" + Quote(args[0]) + name
            + ",\"iat\":" + DateTimeOffset.UtcNow.ToUnixTimeSeconds()
            + ",\"jti\":" + Quote(Guid.NewGuid().ToString()) + "}";
        string input = Part(Encoding.UTF8.GetBytes("{\"alg\":\"HS256\",\"typ\":\"JWT\"}")) + "." + Part(Encoding.UTF8.GetBytes(claims));
        using (var mac = new HMACSHA256(secret))
        {
            Console.WriteLine(input + "." + Part(mac.ComputeHash(Encoding.ASCII.GetBytes(input))));
        }
        return 0;
    }

    /// A JSON string (RFC 8259, section 7); System.Text.Json does the same.
    static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            if (c == '"' || c == '\\' || c < ' ') quoted.AppendFormat("\\u{0:x4}", (int)c);
            else quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }

    static string Part(byte[] bytes)
    {
        return Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
    }
}
