package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func main() {
	ctx := context.Background()
	x509, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer x509.Close()
	svid, err := x509.GetX509SVID()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("I am", svid.ID)

	token, err := workloadapi.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "reports"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("my token is for", strings.Join(token.Audience, " "))

	for {
		svid, err := x509.GetX509SVID()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("serial", svid.Certificates[0].SerialNumber)
		<-x509.Updated()
	}
}
