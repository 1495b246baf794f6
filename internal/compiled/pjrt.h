// The part of PJRT's C API that keeping executables takes, as its header has it since API
// version 0.1: functions are only added at the end of the table until there is a version 1
// (openxla/xla, xla/pjrt/c/pjrt_c_api.h, Apache License 2.0).

#pragma once

#include <stddef.h>

typedef struct {
	size_t struct_size;
	void *extension_start;
	struct {
		size_t struct_size;
		void *extension_start;
		int major, minor;
	} version;
	void *functions[];
} camlab_api;

// Places in the table.
enum {
	error_destroy = 0,
	client_compile = 20,
	executable_destroy = 40,
	executable_optimized_program = 48,
	executable_serialize = 49,
	loaded_get_executable = 51,
	deserialize_and_load = 56,
};

typedef struct {
	size_t struct_size;
	void *extension_start;
	char *code;
	size_t code_size;
	const char *format;
	size_t format_size;
} camlab_program;

typedef struct {
	size_t struct_size;
	void *extension_start;
	void *client;
	const camlab_program *program;
	char *options;
	size_t options_size;
	void *executable; // out
} camlab_compile_args;

// Opens a plugin and returns its table with another function that compiles; NULL where the
// plugin is of another kind.
camlab_api *camlab_open(const char *path);

// The plugin's own function.
void *camlab_compile_anew(camlab_compile_args *args);

// Loads an executable in place of compiling it; whether that went well.
int camlab_load(camlab_compile_args *args, void *bytes, size_t size);

// An executable as bytes, which are its owner's.
typedef struct {
	const char *bytes; // NULL where the plugin does not write it
	size_t size;
	void *owner;
	void (*done)(void *owner);
} camlab_serialized;

camlab_serialized camlab_serialize(void *executable);

// The program that an executable was made of, as a protocol buffer, to be freed; NULL where the
// plugin does not tell it.
char *camlab_optimized(void *executable, size_t *size);
void camlab_free(camlab_serialized s);
