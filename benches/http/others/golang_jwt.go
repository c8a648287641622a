// Says hello, to good tokens alone if told to verify: `golang_jwt FOLDER none|verify`.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/golang-jwt/jwt"
)

func read(name string) string {
	text, err := os.ReadFile(os.Args[1] + "/" + name)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}

func main() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "text/plain; charset=utf-8")
		fmt.Fprint(w, "hello")
	})
	var handler http.Handler = hello
	if os.Args[2] == "verify" {
		handler = verified(hello)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, handler))
}

func verified(next http.Handler) http.Handler {
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(read("key.pem")))
	if err != nil {
		panic(err)
	}
	issuer, audience := read("issuer"), read("audience")
	parser := jwt.Parser{ValidMethods: []string{"RS256"}}
	check := func(field string) error {
		token, isBearer := strings.CutPrefix(field, "Bearer ")
		if !isBearer {
			return errors.New("no token")
		}
		claims := jwt.MapClaims{}
		if _, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
			return err
		}
		if !claims.VerifyIssuer(issuer, true) || !claims.VerifyAudience(audience, true) {
			return errors.New("another issuer or audience")
		}
		if _, hasEnd := claims["exp"]; !hasEnd {
			return errors.New("no end")
		}
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if check(r.Header.Get("authorization")) != nil {
			w.Header().Set("www-authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
