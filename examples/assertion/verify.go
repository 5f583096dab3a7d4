// Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. go run verify.go ASSERTION ...
// With Go alone; github.com/golang-jwt/jwt with keyfunc does the same (see docs/assertion.md).
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"
)

type claims struct {
	Iss, Aud, Sub, Email, Name, Provider string
	Roles                                []string
	Exp                                  int64
}

func number(part string) *big.Int {
	bytes, _ := base64.RawURLEncoding.DecodeString(part)
	return new(big.Int).SetBytes(bytes)
}

// Remember the keys; fetch them again when a kid is unknown, once a minute at most.
func publicKey(kid string) (*ecdsa.PublicKey, error) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(os.Getenv("JWKS_URL"))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var set struct {
		Keys []struct{ Kid, Kty, Crv, X, Y string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		return nil, err
	}
	for _, key := range set.Keys {
		if key.Kid != kid || key.Kty != "EC" || key.Crv != "P-256" {
			continue
		}
		public := &ecdsa.PublicKey{Curve: elliptic.P256(), X: number(key.X), Y: number(key.Y)}
		// Refuses a point that is not on the curve.
		_, err := public.ECDH()
		return public, err
	}
	return nil, errors.New("no key of that kid")
}

func verify(assertion string) (*claims, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, errors.New("not three parts")
	}
	var header struct{ Alg, Kid string }
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(text, &header) != nil || header.Alg != "ES256" {
		// The algorithm is ours to choose, never the token's.
		return nil, errors.New("another algorithm")
	}
	key, err := publicKey(header.Kid)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return nil, errors.New("a signature of another length")
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, hash[:], r, s) {
		return nil, errors.New("the signature is not right")
	}
	said := &claims{}
	text, err = base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, said) != nil {
		return nil, errors.New("claims that cannot be read")
	}
	if said.Iss != os.Getenv("ASSERTION_ISSUER") || said.Aud != os.Getenv("ASSERTION_AUDIENCE") {
		return nil, errors.New("for somebody else")
	}
	if said.Exp <= time.Now().Unix() {
		return nil, errors.New("it has run out")
	}
	return said, nil
}

func main() {
	for _, assertion := range os.Args[1:] {
		if said, err := verify(assertion); err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println(said.Email)
		}
	}
}
