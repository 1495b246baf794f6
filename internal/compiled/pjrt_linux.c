#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "pjrt.h"
#include "_cgo_export.h"

static const camlab_api *plugin; // a process has one

typedef void *(*function)(void *args);

// call calls a function of the plugin, and returns whether it went well.
static int call(int place, void *args) {
	void *error = ((function)plugin->functions[place])(args);
	if (error == NULL)
		return 1;
	struct {
		size_t struct_size;
		void *extension_start;
		void *error;
	} destroy = {sizeof destroy, NULL, error};
	((function)plugin->functions[error_destroy])(&destroy);
	return 0;
}

camlab_api *camlab_open(const char *path) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL)
		return NULL;
	const camlab_api *(*get)(void) = (const camlab_api *(*)(void))dlsym(library, "GetPjrtApi");
	const camlab_api *api = get == NULL ? NULL : get();
	if (api == NULL || api->version.major != 0 || api->struct_size < offsetof(camlab_api, functions) + (deserialize_and_load + 1) * sizeof(void *))
		return NULL;
	camlab_api *keeping = malloc(api->struct_size);
	if (keeping == NULL)
		return NULL;
	memcpy(keeping, api, api->struct_size);
	keeping->functions[client_compile] = (void *)camlabCompile;
	plugin = api;
	return keeping;
}

void *camlab_compile_anew(camlab_compile_args *args) {
	return ((function)plugin->functions[client_compile])(args);
}

int camlab_load(camlab_compile_args *args, void *bytes, size_t size) {
	struct {
		size_t struct_size;
		void *extension_start;
		void *client;
		const char *bytes;
		size_t size;
		void *executable; // out
		const char *options;
		size_t options_size;
	} load = {sizeof load, NULL, args->client, bytes, size, NULL, NULL, 0};
	if (!call(deserialize_and_load, &load))
		return 0;
	args->executable = load.executable;
	return 1;
}

// executable_of returns the executable of a loaded one, to be released; NULL if there is none.
static void *executable_of(void *loaded) {
	struct {
		size_t struct_size;
		void *extension_start;
		void *loaded, *executable; // executable: out
	} get = {sizeof get, NULL, loaded, NULL};
	return call(loaded_get_executable, &get) ? get.executable : NULL;
}

static void release(void *executable) {
	struct {
		size_t struct_size;
		void *extension_start;
		void *executable;
	} destroy = {sizeof destroy, NULL, executable};
	call(executable_destroy, &destroy);
}

char *camlab_optimized(void *loaded, size_t *size) {
	camlab_program program = {sizeof program, NULL, NULL, 0, "hlo", 3};
	struct {
		size_t struct_size;
		void *extension_start;
		void *executable;
		camlab_program *program;
	} get = {sizeof get, NULL, executable_of(loaded), &program};
	if (get.executable == NULL)
		return NULL;
	// The first call tells the size, the second the program.
	char *code = NULL;
	if (call(executable_optimized_program, &get) && (code = malloc(program.code_size + 1)) != NULL) {
		program.code = code;
		*size = program.code_size;
		if (!call(executable_optimized_program, &get)) {
			free(code);
			code = NULL;
		}
	}
	release(get.executable);
	return code;
}

camlab_serialized camlab_serialize(void *loaded) {
	camlab_serialized s = {NULL, 0, NULL, NULL};
	void *executable = executable_of(loaded);
	if (executable == NULL)
		return s;
	struct {
		size_t struct_size;
		void *extension_start;
		const void *executable;
		camlab_serialized out;
	} write = {sizeof write, NULL, executable, s};
	if (call(executable_serialize, &write))
		s = write.out;
	release(executable);
	return s;
}

void camlab_free(camlab_serialized s) {
	if (s.done != NULL)
		s.done(s.owner);
}
