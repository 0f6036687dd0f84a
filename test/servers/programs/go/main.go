// Go's net/http with Shutdown, as the example of its documentation.
// https://pkg.go.dev/net/http#example-Server.Shutdown
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const hello = "hello\n"

var big = bytes.Repeat([]byte("x"), 20_000_000)

var upgrader websocket.Upgrader

func slow(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(time.Second)
	io.WriteString(w, hello)
}

func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		io.WriteString(w, "data: hello\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

func post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%d\n", len(body))
}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}

// With a certificate it speaks TLS.
func serve(srv *http.Server) error {
	if cert := os.Getenv("TLS_CERT"); cert != "" {
		return srv.ListenAndServeTLS(cert, os.Getenv("TLS_KEY"))
	}
	return srv.ListenAndServe()
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, hello) })
	http.HandleFunc("/slow", slow)
	http.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { w.Write(big) })
	http.HandleFunc("/stream", stream)
	http.HandleFunc("/post", post)
	http.HandleFunc("/ws", echo)

	srv := http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT")}

	idleConnsClosed := make(chan struct{})
	go func() {
		sigterm := make(chan os.Signal, 1)
		signal.Notify(sigterm, syscall.SIGTERM)
		<-sigterm

		// We received a signal, shut down.
		if err := srv.Shutdown(context.Background()); err != nil {
			log.Printf("HTTP server Shutdown: %v", err)
		}
		close(idleConnsClosed)
	}()

	if err := serve(&srv); err != http.ErrServerClosed {
		log.Fatalf("HTTP server ListenAndServe: %v", err)
	}

	<-idleConnsClosed
}
