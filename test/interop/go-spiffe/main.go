// What a Go service does with its identity, against the agent at SPIFFE_ENDPOINT_SOCKET. Each scenario prints one JSON
// object a line; a failure ends the program with 1.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/status"
)

var scenarios = map[string]func(context.Context) error{
	"x509":    fetchX509,
	"mtls":    mutualTLS,
	"jwt":     fetchAndValidateJWT,
	"bundles": fetchBundles,
	"watch":   watchX509,
	"refused": beRefused,
}

func main() {
	// Long enough for a rotation; a test that hangs ends here.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	scenario, known := scenarios[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "no scenario %q\n", os.Args[1])
		os.Exit(2)
	}
	if err := scenario(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func say(facts map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(facts); err != nil {
		panic(err)
	}
}

func fetchX509(ctx context.Context) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	id, chains, err := x509svid.Verify(svid.Certificates, source)
	if err != nil {
		return err
	}
	leaf := svid.Certificates[0]
	say(map[string]any{
		"id": id.String(), "hint": svid.Hint, "dns": leaf.DNSNames, "chains": len(chains),
		"seconds": int(leaf.NotAfter.Sub(leaf.NotBefore).Seconds()),
	})
	return nil
}

// Two ends of one connection, each with the configuration that go-spiffe makes for it.
func mutualTLS(ctx context.Context) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	own, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	member := tlsconfig.AuthorizeMemberOf(own.ID.TrustDomain())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsconfig.MTLSServerConfig(source, source, member))
	if err != nil {
		return err
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() { served <- serveOne(listener) }()
	client := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(own.ID))
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	peer, err := x509svid.IDFromCert(conn.ConnectionState().PeerCertificates[0])
	if err != nil {
		return err
	}
	say(map[string]any{"clientSaw": peer.String(), "serverSaw": answer[:len(answer)-1]})
	return <-served
}

func serveOne(listener net.Listener) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	tlsConn := conn.(*tls.Conn)
	if err := tlsConn.Handshake(); err != nil {
		return err
	}
	id, err := x509svid.IDFromCert(tlsConn.ConnectionState().PeerCertificates[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(conn, id)
	return err
}

func fetchAndValidateJWT(ctx context.Context) error {
	source, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "reports"})
	if err != nil {
		return err
	}
	offline, err := jwtsvid.ParseAndValidate(svid.Marshal(), source, []string{"reports"})
	if err != nil {
		return err
	}
	online, err := workloadapi.ValidateJWTSVID(ctx, svid.Marshal(), "reports")
	if err != nil {
		return err
	}
	_, wrongAudience := workloadapi.ValidateJWTSVID(ctx, svid.Marshal(), "other")
	say(map[string]any{
		"id": offline.ID.String(), "online": online.ID.String(), "audience": online.Audience,
		"wrongAudience": status.Code(wrongAudience).String(),
	})
	return nil
}

func fetchBundles(ctx context.Context) error {
	x509Bundles, err := workloadapi.FetchX509Bundles(ctx)
	if err != nil {
		return err
	}
	jwtBundles, err := workloadapi.FetchJWTBundles(ctx)
	if err != nil {
		return err
	}
	for _, bundle := range x509Bundles.Bundles() {
		say(map[string]any{"x509": bundle.TrustDomain().Name(), "authorities": len(bundle.X509Authorities())})
	}
	for _, bundle := range jwtBundles.Bundles() {
		say(map[string]any{"jwt": bundle.TrustDomain().Name(), "authorities": keys(bundle)})
	}
	return nil
}

func keys(bundle *jwtbundle.Bundle) int { return len(bundle.JWTAuthorities()) }

// Says each SVID's serial number until it has seen two: the test sees to it that there is a second one.
func watchX509(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watcher := &x509Watcher{done: cancel, serials: map[string]bool{}}
	err := workloadapi.WatchX509Context(ctx, watcher)
	if len(watcher.serials) < 2 {
		return fmt.Errorf("saw %d SVIDs: %w", len(watcher.serials), err)
	}
	return nil
}

type x509Watcher struct {
	done    func()
	serials map[string]bool
}

func (w *x509Watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	svid := update.DefaultSVID()
	serial := svid.Certificates[0].SerialNumber.String()
	_, _, err := x509svid.Verify(svid.Certificates, update.Bundles)
	w.serials[serial] = true
	say(map[string]any{"serial": serial, "verifies": err == nil})
	if len(w.serials) == 2 {
		w.done()
	}
}

func (w *x509Watcher) OnX509ContextWatchError(err error) {
	if !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
	}
}

func beRefused(ctx context.Context) error {
	_, err := workloadapi.FetchX509SVID(ctx)
	refusal := status.Convert(err)
	say(map[string]any{"code": refusal.Code().String(), "message": refusal.Message()})
	return nil
}
