// Go's net/http with Server.Shutdown, as its documentation shows it.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func cpuMs() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6
}

func main() {
	var notes *os.File
	if path := os.Getenv("BENCH_EXECUTED"); path != "" {
		notes, _ = os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	}
	executed := func(r *http.Request) {
		if id := r.Header.Get("x-id"); notes != nil && id != "" {
			notes.WriteString(id + "\n")
		}
	}
	big := strings.Repeat("x", 50_000_000)
	send := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		io.WriteString(w, body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		executed(r)
		send(w, "hello")
	})
	mux.HandleFunc("/wait/", func(w http.ResponseWriter, r *http.Request) {
		executed(r)
		ms, _ := strconv.Atoi(r.URL.Path[len("/wait/"):])
		time.Sleep(time.Duration(ms) * time.Millisecond)
		send(w, "hello")
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		executed(r)
		send(w, big)
	})
	mux.HandleFunc("/post", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		executed(r)
		time.Sleep(200 * time.Millisecond)
		send(w, "done")
	})

	keepAlive, err := strconv.Atoi(os.Getenv("BENCH_KEEP_ALIVE"))
	if err != nil {
		keepAlive = 5000
	}
	server := &http.Server{Handler: mux, IdleTimeout: time.Duration(keepAlive) * time.Millisecond}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}

	var before float64
	stopped := make(chan struct{})
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		<-signals
		before = cpuMs()
		timeout, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		server.Shutdown(timeout)
		close(stopped)
	}()
	// ends with whoever started it
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()

	fmt.Printf("\n{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	server.Serve(listener)
	<-stopped
	fmt.Printf("\n{\"closed\":true}\n{\"cpuMs\":%f}\n", cpuMs()-before)
}
