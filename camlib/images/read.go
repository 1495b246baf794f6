package images

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the formats that are read
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

const formats = "a PNG, JPEG, GIF, WebP, BMP or TIFF picture"

// ReadOptions say how a picture is read. The zero value is what [Read] does.
type ReadOptions struct {
	// Background is what shows where the picture is transparent; nil is white.
	Background color.Color
	// MaxPixels is the largest picture that is decoded, width times height; 0 is
	// 128 million. Decoding takes 1 to 8 bytes a pixel, a progressive JPEG up to 15.
	MaxPixels int
}

// Read reads a picture from disk: PNG, JPEG, GIF (its first frame), WebP, BMP or
// TIFF, whatever its name says. It is turned upright as its EXIF orientation says,
// and laid over white where it is transparent. A colour profile is not applied; CMYK, in
// JPEG files alone, becomes RGB as if its inks were ideal. Colors that a JPEG or lossy WebP
// file stores at half the size are repeated, where libjpeg and libwebp interpolate: Pillow's
// pixels differ by half a level on average, and by tens at colored edges.
//
// A file that is none of these, no file, or a picture of more than 128 million pixels
// is an error; [ReadOptions.Read] reads larger ones, or over another background.
func Read(path string) (image.Image, error) { return ReadOptions{}.Read(path) }

// Read is [Read] with options. It fails with an error of kind [ErrTooLarge]
// before it decodes a picture that is larger than they allow.
func (o ReadOptions) Read(path string) (image.Image, error) {
	f, config, format, err := o.open(path)
	if err != nil {
		return nil, inFile(path, err)
	}
	defer f.Close()
	photo, err := o.decode(f, config, format)
	if err != nil {
		return nil, inFile(path, err)
	}
	return photo, nil
}

// Decode is [ReadOptions.Read] of a picture in another file, such as an archive, from the
// beginning of r on. In errors it has that name.
func (o ReadOptions) Decode(name string, r io.ReadSeeker) (image.Image, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, inFile(name, err)
	}
	config, format, err := o.header(r, size)
	if err != nil {
		return nil, inFile(name, err)
	}
	photo, err := o.decode(r, config, format)
	if err != nil {
		return nil, inFile(name, err)
	}
	return photo, nil
}

// decode decodes a picture after its header was read.
func (o ReadOptions) decode(f io.ReadSeeker, config image.Config, format string) (image.Image, error) {
	photo, err := decode(f)
	if err != nil {
		return nil, err
	}
	canvas := photo.Bounds()
	if format == "gif" { // whose first frame may be smaller
		canvas = image.Rect(0, 0, config.Width, config.Height)
	}
	photo = overCanvas(photo, canvas, o.Background)
	return upright(photo, orientation(f, format)), nil
}

// Check returns the error that [ReadOptions.Read] would return after the file's
// header: that it is no picture, or too large a one.
func (o ReadOptions) Check(path string) error {
	f, _, _, err := o.open(path)
	if err != nil {
		return inFile(path, err)
	}
	return f.Close()
}

// inFile says which file an error is of.
func inFile(path string, err error) error {
	if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
		return fmt.Errorf("images: read: %w", err) // has the path
	}
	return fmt.Errorf("images: read: %s: %w", path, err)
}

// open opens a picture that may be decoded.
func (o ReadOptions) open(path string) (*os.File, image.Config, string, error) {
	f, size, err := openFile(path, "a file with "+formats)
	if err != nil {
		return nil, image.Config{}, "", err
	}
	config, format, err := o.header(f, size)
	if err != nil {
		f.Close()
		return nil, image.Config{}, "", err
	}
	return f, config, format, nil
}

// header reads a file's header, and leaves the file at its beginning.
func (o ReadOptions) header(f io.ReadSeeker, size int64) (config image.Config, format string, err error) {
	most, err := o.most()
	if err != nil {
		return config, "", err
	}
	if size/8-1<<20 > int64(most) { // more than its pixels and 8 MB of profiles and thumbnails
		return config, "", tooLarge("a file of %d MB", size/1_000_000, most)
	}
	if config, format, err = decodeConfig(f); err != nil {
		return config, "", err
	}
	if config.Width < 1 || config.Height < 1 {
		return config, "", fmt.Errorf("%d×%d pixels, want at least 1×1", config.Width, config.Height)
	}
	if float64(config.Width)*float64(config.Height) > float64(most) {
		return config, "", tooLarge("%d×%d pixels", config.Width, config.Height, most)
	}
	if err := checkContent(f, format, 16*min(6, most/(config.Width*config.Height))); err != nil {
		return config, "", err
	}
	_, err = f.Seek(0, io.SeekStart)
	return config, format, err
}

// checkContent returns an error for what the decoders do not see: a picture that they
// would read wrong, or for very long: a JPEG picture of more than some scans.
func checkContent(f io.ReadSeeker, format string, scans int) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch format {
	case "webp":
		var b [21]byte // to the flags of an extended header
		if _, err := io.ReadFull(f, b[:]); err == nil && string(b[12:16]) == "VP8X" && b[20]&2 != 0 {
			return fmt.Errorf("an animated WebP picture, want %s, of one frame", formats)
		}
	case "jpeg":
		return checkScans(f, scans)
	case "tiff":
		compression := tiffTag(f, 259)
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if photometric := tiffTag(f, 262); (compression == 3 || compression == 4) && photometric == 1 {
			// golang.org/x/image 0.47 reads it inverted.
			return fmt.Errorf("a fax (CCITT) TIFF picture whose 0 is black, want one whose 0 is white; save it as PNG")
		}
	}
	return nil
}

// checkScans returns an error if a JPEG file goes over its picture too often: a scan of
// hundreds of bytes can take as long as the whole picture. Encoders write about ten.
func checkScans(f io.Reader, most int) error {
	r := bufio.NewReaderSize(f, 1<<16)
	for scans := 0; ; {
		marker, n, err := jpegSegment(r)
		if err != nil || marker == jpegEnd { // that a file ends too early is for the decoder to say
			return nil
		}
		if marker == jpegScan {
			if scans++; scans > most {
				return fmt.Errorf("a JPEG picture of more than %d scans, which would take very long, want a plain one; save it again", most)
			}
		}
		if _, err := r.Discard(n); err != nil {
			return nil
		}
	}
}

// most is the largest number of pixels that the options allow.
func (o ReadOptions) most() (int, error) {
	if o.MaxPixels < 0 {
		return 0, fmt.Errorf("at most %d pixels, want 0 for 128 million, or more", o.MaxPixels)
	}
	return cmp.Or(o.MaxPixels, 128_000_000), nil
}

// openFile opens a file and returns its size in bytes.
func openFile(path, want string) (*os.File, int64, error) {
	info, err := os.Stat(path) // opening what is no file may wait forever
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s, want %s", kindOf(info.Mode()), want)
	}
	f, err := os.Open(path)
	return f, info.Size(), err
}

// decode and decodeConfig are those of package image. A decoder's panic over a
// damaged file is an error of the file.
func decode(r io.Reader) (photo image.Image, err error) {
	defer undecodable(&err)
	photo, _, err = image.Decode(r)
	return photo, err
}

func decodeConfig(r io.Reader) (config image.Config, format string, err error) {
	defer undecodable(&err)
	return image.DecodeConfig(r)
}

// undecodable says what was wanted instead of what could not be decoded.
func undecodable(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
	switch {
	case *err == nil:
	case errors.Is(*err, image.ErrFormat):
		*err = fmt.Errorf("an unknown format, want %s", formats)
	case errors.Is(*err, io.EOF), errors.Is(*err, io.ErrUnexpectedEOF):
		*err = fmt.Errorf("the file ends too early, want the whole of %s", formats)
	case unsupported(*err):
		*err = fmt.Errorf("%w, want %s in RGB or gray, 8 or 16 bits; save it as PNG", *err, formats)
	default:
		*err = fmt.Errorf("%w, want %s", *err, formats)
	}
}

// unsupported reports whether an error is of a picture that another program may read.
func unsupported(err error) bool {
	return errors.As(err, new(jpeg.UnsupportedError)) || errors.As(err, new(png.UnsupportedError)) ||
		errors.As(err, new(tiff.UnsupportedError)) || errors.Is(err, bmp.ErrUnsupported)
}

func tooLarge(what string, values ...any) error {
	return fmt.Errorf("%w: "+what+", want at most %d pixels (ReadOptions.MaxPixels, or --max-megapixels, allows more)", append([]any{ErrTooLarge}, values...)...)
}

func kindOf(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&os.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&os.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// IsPicture reports whether a file's name ends as those of pictures that [Read]
// reads do.
func IsPicture(name string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}, strings.ToLower(filepath.Ext(name)))
}
