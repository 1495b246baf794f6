package cifar10

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server serves the archive of a tiny release, and records the requests.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []http.Header
}

// serve starts a server that answers with handle.
func serve(t *testing.T, handle http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, req.Header.Clone())
		s.mu.Unlock()
		handle(w, req)
	}))
	t.Cleanup(s.Close)
	return s
}

// ranges returns the Range headers so far.
func (s *server) ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, h := range s.requests {
		got = append(got, h.Get("Range"))
	}
	return got
}

// content is a handler that knows ranges and versions.
func content(archive []byte, etag string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("ETag", etag)
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(archive))
	}
}

// plain is a handler that ignores ranges.
func plain(archive []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
		_, _ = w.Write(archive)
	}
}

// broken is a handler that knows ranges and breaks off each answer after n
// bytes.
func broken(archive []byte, etag string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		content(archive, etag)(&limitedWriter{w, n}, req)
	}
}

type limitedWriter struct {
	http.ResponseWriter
	left int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	if n, err := w.ResponseWriter.Write(p[:w.left]); err != nil {
		return n, err
	}
	panic(http.ErrAbortHandler)
}

// checkLoaded fails unless dir holds the archive, nothing else, and the
// archive the images.
func checkLoaded(t *testing.T, r *release, dir string, train, test *Dataset) {
	t.Helper()
	if got := list(t, dir); !slices.Equal(got, []string{archiveName}) {
		t.Errorf("folder has %q, want only the archive", got)
	}
	got, err := r.load(t.Context(), Options{Dir: dir}, Train, Test)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[Split]*Dataset{Train: train, Test: test}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDownloadWhenNothingIsThere(t *testing.T) {
	r, files, train, test := tiny(t)
	s := serve(t, content(pack(t, files), `"v1"`))
	dir := filepath.Join(t.TempDir(), "new", "folder")
	var last, calls int64
	opts := Options{Dir: dir, Download: true, URL: s.URL, Client: s.Client(), Progress: func(done, total int64) {
		if done < last || total != r.archiveSize {
			t.Errorf("progress %d of %d after %d, want rising, of %d", done, total, last, r.archiveSize)
		}
		last, calls = done, calls+1
	}}
	for range 2 { // the second time it is there
		if _, err := r.load(t.Context(), opts, Train, Test); err != nil {
			t.Fatal(err)
		}
	}
	if last != r.archiveSize || calls == 0 {
		t.Errorf("progress ends at %d after %d calls, want %d", last, calls, r.archiveSize)
	}
	if got := s.ranges(); !slices.Equal(got, []string{""}) {
		t.Errorf("requests with ranges %q, want one without", got)
	}
	checkLoaded(t, r, dir, train, test)
}

func TestDownloadToThePathOfTheArchive(t *testing.T) {
	r, files, train, test := tiny(t)
	s := serve(t, plain(pack(t, files)))
	dir := t.TempDir()
	opts := Options{Dir: filepath.Join(dir, archiveName), Download: true, URL: s.URL}
	if _, err := r.load(t.Context(), opts, Train); err != nil {
		t.Fatal(err)
	}
	checkLoaded(t, r, dir, train, test)
}

func TestDownloadWhenFilesAreMissing(t *testing.T) {
	r, files, _, _ := tiny(t)
	s := serve(t, plain(pack(t, files)))
	dir := t.TempDir()
	unpack(t, dir, files[:3])
	if _, err := r.load(t.Context(), Options{Dir: dir, Download: true, URL: s.URL}, Train); err != nil {
		t.Fatal(err)
	}
}

func TestDownloadGoesOnAfterBreaks(t *testing.T) {
	r, files, train, test := tiny(t)
	archive := pack(t, files)
	n := len(archive)/3 + 1
	s := serve(t, broken(archive, `"v1"`, n))
	dir := t.TempDir()
	if _, err := r.download(t.Context(), dir, Options{URL: s.URL}); err != nil {
		t.Fatal(err)
	}
	want := []string{"", fmt.Sprintf("bytes=%d-", n), fmt.Sprintf("bytes=%d-", 2*n)}
	if got := s.ranges(); !slices.Equal(got, want) {
		t.Errorf("requests with ranges %q, want %q", got, want)
	}
	for i, h := range s.requests[1:] {
		if h.Get("If-Range") != `"v1"` {
			t.Errorf("request %d for version %q, want \"v1\"", i+1, h.Get("If-Range"))
		}
	}
	checkLoaded(t, r, dir, train, test)
}

func TestDownloadGivesUpAndGoesOnLater(t *testing.T) {
	r, files, train, test := tiny(t)
	archive := pack(t, files)
	s := serve(t, broken(archive, `"v1"`, len(archive)/(maxAttempts+1)))
	dir := t.TempDir()
	_, err := r.download(t.Context(), dir, Options{URL: s.URL})
	want := fmt.Sprintf("cifar10: %s: stopped at %d of %d bytes (unexpected EOF), want the rest: run it again to go on from there",
		s.URL, maxAttempts*(len(archive)/(maxAttempts+1)), len(archive))
	if err == nil || err.Error() != want || !errors.Is(err, ErrDownload) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got := list(t, dir); slices.Contains(got, archiveName) {
		t.Errorf("folder has %q, want no archive yet", got)
	}
	if _, err := r.download(t.Context(), dir, Options{URL: s.URL}); err != nil {
		t.Fatal(err)
	}
	checkLoaded(t, r, dir, train, test)
}

func TestDownloadCancelledGoesOnLater(t *testing.T) {
	r, files, train, test := tiny(t)
	archive := pack(t, files)
	half := len(archive) / 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		stalled := false
		once.Do(func() { stalled = true })
		if !stalled {
			content(archive, `"v1"`)(w, req)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
		_, _ = w.Write(archive[:half])
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	})
	dir := t.TempDir()
	_, err := r.download(ctx, dir, Options{URL: s.URL, Progress: func(done, total int64) {
		if done == int64(half) {
			cancel()
		}
	}})
	want := fmt.Sprintf("cifar10: %s: stopped at %d of %d bytes (context canceled), want the rest: run it again to go on from there",
		s.URL, half, len(archive))
	if err == nil || err.Error() != want || !errors.Is(err, context.Canceled) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := r.download(t.Context(), dir, Options{URL: s.URL}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.ranges(), []string{"", fmt.Sprintf("bytes=%d-", half)}; !slices.Equal(got, want) {
		t.Errorf("requests with ranges %q, want %q", got, want)
	}
	checkLoaded(t, r, dir, train, test)
}

// TestDownloadFromPart protects the ways in which a part file is taken up.
func TestDownloadFromPart(t *testing.T) {
	r, files, train, test := tiny(t)
	archive := pack(t, files)
	head := archive[:1000]
	stale := bytes.Repeat([]byte("old"), 1000)
	for _, c := range []struct {
		name    string
		part    []byte
		version string
		handle  http.HandlerFunc
		want    []string // ranges asked for
	}{
		{"same version", head, `"v1"`, content(archive, `"v1"`), []string{"bytes=1000-"}},
		{"version unknown", head, "", content(archive, `"v1"`), []string{"bytes=1000-"}},
		{"another version", stale, `"v0"`, content(archive, `"v1"`), []string{"bytes=3000-"}},
		{"range ignored", stale, `"v1"`, plain(archive), []string{"bytes=3000-"}},
		{"range refused", stale, "", func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			plain(archive)(w, req)
		}, []string{"bytes=3000-", ""}},
		{"range of another size", stale, "", func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes 3000-3999/4000")
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			plain(archive)(w, req)
		}, []string{"bytes=3000-", ""}},
		{"complete already", archive, `"v1"`, http.NotFound, nil},
		{"longer than the archive", append(bytes.Clone(archive), 0), `"v1"`, content(archive, `"v1"`), []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.handle)
			dir := t.TempDir()
			write(t, filepath.Join(dir, archiveName+".part"), c.part)
			if c.version != "" {
				write(t, filepath.Join(dir, archiveName+".part.version"), []byte(c.version))
			}
			if _, err := r.download(t.Context(), dir, Options{URL: s.URL}); err != nil {
				t.Fatal(err)
			}
			if got := s.ranges(); !slices.Equal(got, c.want) {
				t.Errorf("requests with ranges %q, want %q", got, c.want)
			}
			checkLoaded(t, r, dir, train, test)
		})
	}
}

// roundTrip is a transport made of one function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// offline is a client without a network.
var offline = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
})}

func TestDownloadErrors(t *testing.T) {
	r, files, _, _ := tiny(t)
	archive := pack(t, files)
	bad := bytes.Clone(archive)
	bad[len(bad)/2] ^= 1
	unsized := func(data []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush() // so that no length is sent
			_, _ = w.Write(data)
		}
	}
	const remedy = "put cifar-10-binary.tar.gz into data, set CAMLAB_DATA to a folder that has it, or use the embedded sample"
	size := len(archive)
	for _, test := range []struct {
		name   string
		handle http.HandlerFunc // nil: no network
		kind   error
		want   string // URL stands for the server's address
	}{
		{"offline", nil, ErrNoData,
			`cifar10: data: no CIFAR-10 here, and no download (Get "` + r.url + `": no route to host), want a network, or: ` + remedy},
		{"not found", http.NotFound, ErrDownload,
			"cifar10: URL: status 404 Not Found, want 200 OK, or: " + remedy},
		{"a page instead", plain([]byte("<!DOCTYPE html>")), ErrSize,
			fmt.Sprintf("cifar10: URL: 15 bytes, want %d, or: %s", size, remedy)},
		{"too long, unannounced", unsized(append(bytes.Clone(archive), 0, 0)), ErrSize,
			fmt.Sprintf("cifar10: URL: more than %d bytes, want %d, or: %s", size, size, remedy)},
		{"one bit", plain(bad), ErrChecksum,
			"cifar10: URL: md5 " + md5Sum(bad) + ", want " + r.archiveMD5},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			opts := Options{Dir: "data", Download: true, Client: offline}
			if test.handle != nil {
				s := serve(t, test.handle)
				opts.URL, opts.Client = s.URL, s.Client()
			}
			_, err := r.load(t.Context(), opts, Train, Test)
			if want := strings.Replace(test.want, "URL", opts.URL, 1); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if !errors.Is(err, test.kind) {
				t.Errorf("%v is not %q", err, test.kind)
			}
			if got := list(t, "data"); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}
