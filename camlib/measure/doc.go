// Package measure scores maps.
package measure
