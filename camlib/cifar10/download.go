package cifar10

import (
	"cmp"
	"context"
	"crypto/md5" // the home page states no other sum; every .bin is checked by sha256 besides
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/camlab-go/camlab/internal/outdir"
)

// maxAttempts is how often one download is continued after the connection
// broke, as long as each attempt brings something.
const maxAttempts = 5

// Download makes sure that the data is in opts.Dir, or [DefaultDir], whatever
// opts.Download says, and returns the folder or archive that has it. Only when
// it is not there does it fetch the archive from opts.URL.
//
// An interrupted or cancelled download leaves cifar-10-binary.tar.gz.part,
// from which the next one goes on. The archive gets its name only once it is
// complete and has the official size and md5; otherwise it is removed.
func Download(ctx context.Context, opts Options) (string, error) {
	opts.Download = true
	return official.prepare(ctx, opts, official.batches)
}

// download fetches the archive into dir and returns its path.
func (r *release) download(ctx context.Context, dir string, opts Options) (string, error) {
	archive := dir
	if filepath.Base(dir) != archiveName {
		archive = filepath.Join(dir, archiveName)
	}
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return "", fmt.Errorf("cifar10: data folder: %w", err)
	}
	if err := outdir.Ready(filepath.Dir(archive), filepath.Base(archive), filepath.Base(archive)+".part"); err != nil {
		return "", fmt.Errorf("cifar10: data: %w", err)
	}
	t := &transfer{
		url:      cmp.Or(opts.URL, r.url),
		client:   opts.Client,
		progress: opts.Progress,
		archive:  archive,
		size:     r.archiveSize,
	}
	if t.client == nil {
		t.client = http.DefaultClient
	}
	if t.progress == nil {
		t.progress = func(done, total int64) {}
	}
	if err := t.run(ctx); err != nil {
		return "", err
	}
	if err := t.check(r.archiveMD5); err != nil {
		return "", err
	}
	// The file is synced, so a crash around the rename leaves a complete
	// file under one name or the other.
	if err := os.Rename(t.part(), archive); err != nil {
		return "", fmt.Errorf("cifar10: %w", err)
	}
	return archive, remove(t.validator())
}

// transfer is one download, of which the state is on disk.
type transfer struct {
	url      string
	client   *http.Client
	progress func(done, total int64)
	archive  string // where the file is to be
	size     int64  // of the whole file
}

// part is the file that grows, and validator the one that holds the server's
// name for its version.
func (t *transfer) part() string      { return t.archive + ".part" }
func (t *transfer) validator() string { return t.archive + ".part.version" }

// run fetches all of the part file, over several connections if need be.
func (t *transfer) run(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		gained, err := t.fetch(ctx)
		broke := gained > 0 && errors.Is(err, ErrDownload)
		if !broke || ctx.Err() != nil || attempt == maxAttempts {
			return err
		}
	}
}

// fetch continues the part file with one request, and returns how many bytes
// that brought.
func (t *transfer) fetch(ctx context.Context) (gained int64, err error) {
	f, err := os.OpenFile(t.part(), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return 0, fmt.Errorf("cifar10: %w", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = fmt.Errorf("cifar10: %w", e)
		}
		if e := t.discardEmpty(); e != nil && err == nil {
			err = e
		}
	}()
	offset, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("cifar10: %w", err)
	}
	if offset == t.size {
		return 0, nil
	}
	resp, offset, err := t.request(ctx, offset)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if n := resp.ContentLength; n >= 0 && offset+n != t.size {
		return 0, t.wrongSize(fmt.Sprintf("%d bytes", offset+n))
	}
	if err := t.begin(f, offset, resp.Header); err != nil {
		return 0, err
	}
	// One byte more than wanted shows that the file is too long.
	body := io.LimitReader(resp.Body, t.size-offset+1)
	gained, err = io.Copy(f, &meter{body, offset, t.size, t.progress})
	switch done := offset + gained; {
	case done > t.size:
		return gained, errors.Join(t.wrongSize(fmt.Sprintf("more than %d bytes", t.size)), t.discard())
	case err == nil && done < t.size:
		return gained, t.stopped(done, io.ErrUnexpectedEOF)
	case err != nil:
		return gained, t.stopped(done, err)
	}
	if err := f.Sync(); err != nil {
		return gained, fmt.Errorf("cifar10: %w", err)
	}
	return gained, nil
}

// request asks for the file from offset on, and returns the answer and the
// offset that its body really starts at: 0 when the server has another
// version by now, or ignores ranges.
func (t *transfer) request(ctx context.Context, offset int64) (*http.Response, int64, error) {
	if offset > t.size {
		offset = 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("cifar10: download: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity") // else the transport may unpack it
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		if version, err := os.ReadFile(t.validator()); err == nil && len(version) > 0 {
			req.Header.Set("If-Range", string(version))
		}
	}
	resp, err := t.client.Do(req)
	if err != nil && ctx.Err() != nil {
		return nil, 0, t.stopped(offset, ctx.Err())
	} else if err != nil {
		return nil, 0, t.unreachable(err)
	}
	contentRange := fmt.Sprintf("bytes %d-%d/%d", offset, t.size-1, t.size)
	switch {
	case resp.StatusCode == http.StatusOK:
		return resp, 0, nil
	case offset > 0 && resp.StatusCode == http.StatusPartialContent && resp.Header.Get("Content-Range") == contentRange:
		return resp, offset, nil
	}
	resp.Body.Close()
	if offset > 0 && (resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable) {
		return t.request(ctx, 0) // another file than the one that was begun
	}
	return nil, 0, &Error{
		File: t.url, Record: -1, Kind: ErrDownload,
		What: "status " + resp.Status, Want: "200 OK, or: " + t.remedy(),
	}
}

// begin readies the part file for a body that starts at offset, and remembers
// which version of the file the server sends.
func (t *transfer) begin(f *os.File, offset int64, h http.Header) error {
	if err := f.Truncate(offset); err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	version := h.Get("ETag")
	if version == "" || strings.HasPrefix(version, "W/") { // a weak one cannot vouch for bytes
		version = h.Get("Last-Modified")
	}
	if err := os.WriteFile(t.validator(), []byte(version), 0o644); err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	return nil
}

// check compares the complete part file with its md5, and removes it if they
// differ.
func (t *transfer) check(want string) error {
	f, err := os.Open(t.part())
	if err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	defer f.Close()
	hash := md5.New()
	if _, err := io.Copy(hash, f); err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		f.Close() // some systems remove no open file
		return errors.Join(&Error{
			File: t.url, Record: -1, Kind: ErrChecksum,
			What: "md5 " + got, Want: want,
		}, t.discard())
	}
	return nil
}

// discard removes what the transfer has written.
func (t *transfer) discard() error {
	return errors.Join(remove(t.part()), remove(t.validator()))
}

// discardEmpty does so if the part file is empty: there is nothing to go on
// from.
func (t *transfer) discardEmpty() error {
	if info, err := os.Stat(t.part()); err != nil || info.Size() > 0 {
		return nil
	}
	return t.discard()
}

// remove deletes a file that may be absent.
func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cifar10: %w", err)
	}
	return nil
}

func (t *transfer) stopped(done int64, cause error) error {
	return &Error{
		File: t.url, Record: -1, Kind: ErrDownload, Cause: cause,
		What: fmt.Sprintf("stopped at %d of %d bytes (%v)", done, t.size, cause),
		Want: "the rest: run it again to go on from there",
	}
}

func (t *transfer) wrongSize(what string) error {
	return &Error{
		File: t.url, Record: -1, Kind: ErrSize,
		What: what, Want: fmt.Sprintf("%d, or: %s", t.size, t.remedy()),
	}
}

func (t *transfer) unreachable(err error) error {
	return &Error{
		File: filepath.Dir(t.archive), Record: -1, Kind: ErrNoData, Cause: err,
		What: fmt.Sprintf("no CIFAR-10 here, and no download (%v)", err),
		Want: "a network, or: " + t.remedy(),
	}
}

func (t *transfer) remedy() string { return remedy(filepath.Dir(t.archive)) }

// remedy says how to do without a network.
func remedy(dir string) string {
	return fmt.Sprintf("put %s into %s, set CAMLAB_DATA to a folder that has it, or use the embedded sample", archiveName, dir)
}

// meter reports how much of a body has been read.
type meter struct {
	io.Reader
	done, total int64
	report      func(done, total int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.done += int64(n)
	m.report(min(m.done, m.total), m.total)
	return n, err
}
