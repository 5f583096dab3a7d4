// Makes the token that logs an agent in: go run sign.go EMAIL [NAME]
// With Go alone; github.com/golang-jwt/jwt makes the same token (see docs/jwt.md).
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

func part(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func main() {
	secret := os.Getenv("PORTAL_SECRET")
	if len(secret) < 32 || len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: PORTAL_SECRET=(at least 32 bytes) go run sign.go EMAIL [NAME]")
		os.Exit(2)
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		panic(err)
	}
	claims := map[string]any{"email": os.Args[1], "iat": time.Now().Unix(), "jti": hex.EncodeToString(id)}
	if len(os.Args) > 2 {
		claims["name"] = os.Args[2]
	}
	input := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	fmt.Println(input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}
