package cifar10

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestDownloadCancelledBeforeItStarts(t *testing.T) {
	r, files, _, _ := tiny(t)
	s := serve(t, plain(pack(t, files)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := r.download(ctx, dir, Options{URL: s.URL})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a cancelled context", err)
	}
	if got := list(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}

// TestDownloadValidator protects what a later If-Range may rely on: not on a
// weak ETag.
func TestDownloadValidator(t *testing.T) {
	for _, test := range []struct{ etag, modified, want string }{
		{`"v1"`, "Thu, 04 Jun 2009 00:00:00 GMT", `"v1"`},
		{`W/"v1"`, "Thu, 04 Jun 2009 00:00:00 GMT", "Thu, 04 Jun 2009 00:00:00 GMT"},
		{"", "", ""},
	} {
		tr := &transfer{archive: filepath.Join(t.TempDir(), archiveName)}
		f, err := os.Create(tr.part())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h := http.Header{"Etag": {test.etag}, "Last-Modified": {test.modified}}
		if err := tr.begin(f, 0, h); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(tr.validator()); err != nil || string(got) != test.want {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}

func TestDownloadIntoAFile(t *testing.T) {
	r, _, _, _ := tiny(t)
	t.Chdir(t.TempDir())
	write(t, "file", nil)
	_, err := r.download(t.Context(), filepath.Join("file", "data"), Options{Client: offline})
	if want := "cifar10: data folder: mkdir file: not a directory"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestDownloadNotWritable wants a folder that cannot take the archive noticed before
// the first request.
func TestDownloadNotWritable(t *testing.T) {
	r, _, _, _ := tiny(t)
	for _, name := range []string{archiveName, archiveName + ".part"} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := r.download(t.Context(), dir, Options{Client: offline})
		if want := "cifar10: data: folder " + dir + ": " + name + " is a folder, want that name free for a file: remove or rename it"; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestDownloadWithABadAddress(t *testing.T) {
	r, _, _, _ := tiny(t)
	dir := t.TempDir()
	_, err := r.download(t.Context(), dir, Options{URL: "http://[", Client: offline})
	if want := `cifar10: download: parse "http://[": missing ']' in host`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got := list(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}
