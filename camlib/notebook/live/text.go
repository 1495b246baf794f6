package live

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a value its text shows.
const (
	maxDepth  = 5
	maxItems  = 30   // of a slice, array or map
	maxString = 2000 // bytes
	lineWidth = 88
)

// Text returns a value as Go source reads it: `[]int{1, 2, 3}`, `point{x: 3, y: 4}`,
// over several lines when it is long. A value with a String or Error method says
// itself what it is. What is very long or deep is cut, and how much is said.
func Text(v any) string {
	if s, ok := v.(string); ok {
		if strings.Contains(s, "\n") && len(s) <= maxString {
			return strings.TrimSuffix(s, "\n")
		}
	}
	return (&printer{seen: make(map[visit]bool)}).value(reflect.ValueOf(v), 0, true)
}

type visit struct {
	at uintptr
	t  reflect.Type
}

// printer guards against values that hold themselves.
type printer struct{ seen map[visit]bool }

// value is the text of v at a depth of nesting. With typed it names the type of a
// composite or of a value whose type the text does not tell.
func (p *printer) value(v reflect.Value, depth int, typed bool) string {
	if !v.IsValid() {
		return "nil"
	}
	if text, ok := said(v); ok {
		return text
	}
	t := v.Type()
	switch v.Kind() {
	case reflect.Bool:
		return wrap(t, "bool", strconv.FormatBool(v.Bool()), typed)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return wrap(t, v.Kind().String(), strconv.FormatInt(v.Int(), 10), typed)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return wrap(t, v.Kind().String(), strconv.FormatUint(v.Uint(), 10), typed)
	case reflect.Float32:
		return wrap(t, "float32", strconv.FormatFloat(v.Float(), 'g', -1, 32), typed)
	case reflect.Float64:
		return wrap(t, "float64", strconv.FormatFloat(v.Float(), 'g', -1, 64), typed)
	case reflect.Complex64, reflect.Complex128:
		return wrap(t, v.Kind().String(), fmt.Sprint(v.Complex()), typed)
	case reflect.String:
		return wrap(t, "string", quote(v.String()), typed)
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return p.value(v.Elem(), depth, true)
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		key := visit{v.Pointer(), t}
		if p.seen[key] || depth >= maxDepth {
			return "&" + name(t.Elem()) + "{…}"
		}
		p.seen[key] = true
		defer delete(p.seen, key)
		return "&" + p.value(v.Elem(), depth, true)
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			return name(t) + "(nil)"
		}
		key := visit{v.Pointer(), t}
		if p.seen[key] {
			return name(t) + "{…}"
		}
		p.seen[key] = true
		defer delete(p.seen, key)
	case reflect.Array, reflect.Struct:
	default: // a function, channel or unsafe pointer
		if v.IsZero() {
			return name(t) + "(nil)"
		}
		return name(t)
	}
	prefix := ""
	if typed {
		prefix = name(t)
	}
	if text, ok := bytesText(v); ok {
		return prefix + "(" + text + ")"
	}
	if depth >= maxDepth {
		return prefix + "{…}"
	}
	return prefix + braces(p.items(v, depth))
}

// bytesText is a slice of bytes that is a text, as a string.
func bytesText(v reflect.Value) (text string, ok bool) {
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Uint8 || v.Len() == 0 {
		return "", false
	}
	s := string(v.Bytes())
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && !strings.ContainsRune("\n\t", r) }) {
		return "", false
	}
	if strings.Contains(s, "\n") && !strings.Contains(s, "`") && len(s) <= maxString {
		return "`" + s + "`", true
	}
	return quote(s), true
}

// items are the texts of what a slice, array, map or struct holds.
func (p *printer) items(v reflect.Value, depth int) (items []string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			items = append(items, v.Type().Field(i).Name+": "+p.value(v.Field(i), depth+1, true))
		}
		return items
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, compare)
		for _, k := range keys[:min(len(keys), maxItems)] {
			items = append(items, p.value(k, depth+1, false)+": "+p.value(v.MapIndex(k), depth+1, false))
		}
		return more(items, len(keys))
	default:
		for i := range min(v.Len(), maxItems) {
			items = append(items, p.value(v.Index(i), depth+1, v.Type().Elem().Kind() == reflect.Interface))
		}
		return more(items, v.Len())
	}
}

func more(items []string, n int) []string {
	if n > len(items) {
		items = append(items, fmt.Sprintf("… %d more", n-len(items)))
	}
	return items
}

// braces puts items on one line if they fit, else each, or as many as fit where
// they are short, on lines of their own.
func braces(items []string) string {
	line := strings.Join(items, ", ")
	if utf8.RuneCountInString(line) <= lineWidth && !strings.Contains(line, "\n") {
		return "{" + line + "}"
	}
	var b strings.Builder
	b.WriteString("{")
	column := lineWidth
	short := !slices.ContainsFunc(items, func(s string) bool { return len(s) > 24 || strings.Contains(s, ": ") })
	for _, item := range items {
		if n := utf8.RuneCountInString(item) + 2; short && column+n <= lineWidth {
			b.WriteString(" " + item + ",")
			column += n
		} else {
			b.WriteString("\n    " + strings.ReplaceAll(item, "\n", "\n    ") + ",")
			column = 4 + n
		}
	}
	return b.String() + "\n}"
}

// said is what a value's own method says. Fields that are not exported are not
// asked, nor is a nil pointer, and a method that panics is as if there were none.
func said(v reflect.Value) (text string, ok bool) {
	if !v.CanInterface() || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() {
		return "", false
	}
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	switch x := v.Interface().(type) {
	case error:
		text = x.Error()
	case fmt.Stringer:
		text = x.String()
	case fmt.Formatter: // such as gonum's mat.Formatted
		text = fmt.Sprintf("%v", x)
	default:
		return "", false
	}
	return cut(text), true
}

// wrap names a type that is not the plain one of its kind, as in Weekday(3).
func wrap(t reflect.Type, plain, text string, typed bool) string {
	if typed && t.Name() != plain {
		return name(t) + "(" + text + ")"
	}
	return text
}

func quote(s string) string {
	if len(s) > maxString {
		return strconv.Quote(s[:maxString]) + fmt.Sprintf("… %d bytes more", len(s)-maxString)
	}
	return strconv.Quote(s)
}

func cut(s string) string {
	if len(s) > 10*maxString {
		return strings.ToValidUTF8(s[:10*maxString], "") + fmt.Sprintf("… %d bytes more", len(s)-10*maxString)
	}
	return s
}

var names = strings.NewReplacer("cell.", "", "interface {}", "any", "[]uint8", "[]byte")

// name is a type's name; those of cells are without their package.
func name(t reflect.Type) string { return names.Replace(t.String()) }

// compare orders the keys of a map: numbers and strings by value, others by text.
func compare(a, b reflect.Value) int {
	switch {
	case a.CanInt() && b.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint() && b.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.CanFloat() && b.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	case a.Kind() == reflect.String && b.Kind() == reflect.String:
		return strings.Compare(a.String(), b.String())
	default:
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
}
