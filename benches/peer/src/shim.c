/*
 * wolfSSL's SAKKE and ECCSI behind opaque handles, so that the layout of its structures stays in C.
 *
 * Octets are in the formats of RFC 6507 and RFC 6508. Functions return 0, or an error code of wolfSSL.
 */

#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/eccsi.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sakke.h>

enum {
    SAKKE_POINT = 257,
    SAKKE_KEY = 384,
    SSV = 16,
    ECCSI_POINT = 65,
    ECCSI_INTEGER = 32,
    SIGNATURE = 129,
};

static const enum wc_HashType HASH = WC_HASH_TYPE_SHA256;

/* Keeps the calling thread on the core that it runs on; best effort. */
void peer_pin(void)
{
#ifdef __linux__
    int core = sched_getcpu();
    if (core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(core, &set);
        (void)sched_setaffinity(0, sizeof set, &set);
    }
#endif
}

/* Processor time of the calling thread, in seconds. */
double peer_cpu_seconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

typedef struct peer_sakke {
    SakkeKey key;
    ecc_point *rsk;
    byte *recipient_table;
    byte *rsk_table;
    word32 table_octets;
} peer_sakke;

void peer_sakke_free(peer_sakke *sakke)
{
    if (sakke == NULL) {
        return;
    }
    wc_ecc_del_point(sakke->rsk);
    wc_FreeSakkeKey(&sakke->key);
    free(sakke->recipient_table);
    free(sakke->rsk_table);
    free(sakke);
}

static peer_sakke *sakke_new(void)
{
    peer_sakke *sakke = calloc(1, sizeof *sakke);
    if (sakke == NULL) {
        return NULL;
    }
    if (wc_InitSakkeKey(&sakke->key, NULL, INVALID_DEVID) != 0) {
        free(sakke);
        return NULL;
    }
    sakke->rsk = wc_ecc_new_point();
    if (sakke->rsk == NULL) {
        peer_sakke_free(sakke);
        return NULL;
    }
    return sakke;
}

/* A key management server from z, Zx, Zy, 128 octets each; NULL on failure. */
peer_sakke *peer_sakke_kms(const uint8_t key[SAKKE_KEY])
{
    peer_sakke *sakke = sakke_new();
    if (sakke != NULL && wc_ImportSakkeKey(&sakke->key, key, SAKKE_KEY) != 0) {
        peer_sakke_free(sakke);
        return NULL;
    }
    return sakke;
}

/* A client of the key management server with the public key Z; NULL on failure. */
peer_sakke *peer_sakke_client(const uint8_t z[SAKKE_POINT])
{
    peer_sakke *sakke = sakke_new();
    if (sakke != NULL && wc_ImportSakkePublicKey(&sakke->key, z, SAKKE_POINT, 0) != 0) {
        peer_sakke_free(sakke);
        return NULL;
    }
    return sakke;
}

int peer_sakke_extract(peer_sakke *sakke, const uint8_t *id, uint16_t id_octets, uint8_t rsk[SAKKE_POINT])
{
    word32 octets = SAKKE_POINT;
    int error = wc_MakeSakkeRsk(&sakke->key, id, id_octets, sakke->rsk);
    if (error == 0) {
        error = wc_EncodeSakkeRsk(&sakke->key, sakke->rsk, rsk, &octets, 0);
    }
    return error;
}

int peer_sakke_validate(peer_sakke *sakke, const uint8_t *id, uint16_t id_octets, const uint8_t rsk[SAKKE_POINT])
{
    int valid = 0;
    int error = wc_DecodeSakkeRsk(&sakke->key, rsk, SAKKE_POINT, sakke->rsk);
    if (error == 0) {
        error = wc_ValidateSakkeRsk(&sakke->key, id, id_octets, sakke->rsk, &valid);
    }
    return error != 0 || valid ? error : SAKKE_VERIFY_FAIL_E;
}

/* Room for a table whose length was asked for; none in a build without tables, which is no error. */
static int allocate_table(int answer, word32 octets, byte **table)
{
    free(*table);
    *table = NULL;
    if (answer != LENGTH_ONLY_E) {
        return answer;
    }
    if (octets != 0) {
        *table = malloc(octets);
        if (*table == NULL) {
            return MEMORY_E;
        }
    }
    return 0;
}

/* The identity for the calls that follow, without preparation. */
int peer_sakke_set_identity(peer_sakke *sakke, const uint8_t *id, uint16_t id_octets)
{
    return wc_SetSakkeIdentity(&sakke->key, id, id_octets);
}

/* The identity for the calls that follow, with its point and, where the build has one, its table. */
int peer_sakke_prepare_identity(peer_sakke *sakke, const uint8_t *id, uint16_t id_octets)
{
    word32 octets = 0;
    int error = wc_SetSakkeIdentity(&sakke->key, id, id_octets);
    if (error == 0) {
        error = wc_ClearSakkePointITable(&sakke->key);
    }
    if (error == 0) {
        error = wc_MakeSakkePointI(&sakke->key, id, id_octets);
    }
    if (error == 0) {
        int answer = wc_GenerateSakkePointITable(&sakke->key, NULL, &octets);
        error = allocate_table(answer, octets, &sakke->recipient_table);
    }
    if (error == 0 && sakke->recipient_table != NULL) {
        error = wc_GenerateSakkePointITable(&sakke->key, sakke->recipient_table, &octets);
    }
    if (error == 0) {
        sakke->table_octets += octets;
    }
    return error;
}

/* The RSK that decapsulates, with its table where the build has one. */
int peer_sakke_set_rsk(peer_sakke *sakke, const uint8_t rsk[SAKKE_POINT])
{
    word32 octets = 0;
    int error = wc_DecodeSakkeRsk(&sakke->key, rsk, SAKKE_POINT, sakke->rsk);
    if (error == 0) {
        int answer = wc_GenerateSakkeRskTable(&sakke->key, sakke->rsk, NULL, &octets);
        error = allocate_table(answer, octets, &sakke->rsk_table);
    }
    if (error == 0 && sakke->rsk_table != NULL) {
        error = wc_GenerateSakkeRskTable(&sakke->key, sakke->rsk, sakke->rsk_table, &octets);
    }
    if (error == 0) {
        error = wc_SetSakkeRsk(&sakke->key, sakke->rsk, sakke->rsk_table, octets);
    }
    if (error == 0) {
        sakke->table_octets += octets;
    }
    return error;
}

/* Octets of the tables that were prepared. */
uint32_t peer_sakke_table_octets(const peer_sakke *sakke)
{
    return sakke->table_octets;
}

int peer_sakke_encapsulate(peer_sakke *sakke, const uint8_t ssv[SSV], uint8_t out[SAKKE_POINT + SSV])
{
    word16 octets = SAKKE_POINT;
    memcpy(out + SAKKE_POINT, ssv, SSV);
    return wc_MakeSakkeEncapsulatedSSV(&sakke->key, HASH, out + SAKKE_POINT, SSV, out, &octets);
}

int peer_sakke_decapsulate(peer_sakke *sakke, const uint8_t in[SAKKE_POINT + SSV], uint8_t ssv[SSV])
{
    memcpy(ssv, in + SAKKE_POINT, SSV);
    return wc_DeriveSakkeSSV(&sakke->key, HASH, ssv, SSV, in, SAKKE_POINT);
}

typedef struct peer_eccsi {
    EccsiKey key;
    WC_RNG rng;
    ecc_point *pvt;
    mp_int ssk;
} peer_eccsi;

void peer_eccsi_free(peer_eccsi *eccsi)
{
    if (eccsi == NULL) {
        return;
    }
    mp_forcezero(&eccsi->ssk);
    wc_ecc_del_point(eccsi->pvt);
    wc_FreeRng(&eccsi->rng);
    wc_FreeEccsiKey(&eccsi->key);
    free(eccsi);
}

/* A client of the key management server with the public key KPAK; NULL on failure. */
peer_eccsi *peer_eccsi_client(const uint8_t kpak[ECCSI_POINT])
{
    peer_eccsi *eccsi = calloc(1, sizeof *eccsi);
    if (eccsi == NULL) {
        return NULL;
    }
    int error = wc_InitEccsiKey(&eccsi->key, NULL, INVALID_DEVID);
    if (error == 0) {
        error = wc_InitRng(&eccsi->rng);
    }
    if (error == 0) {
        error = mp_init(&eccsi->ssk);
    }
    if (error == 0) {
        eccsi->pvt = wc_ecc_new_point();
        error = eccsi->pvt == NULL ? MEMORY_E : 0;
    }
    if (error == 0) {
        error = wc_ImportEccsiPublicKey(&eccsi->key, kpak, ECCSI_POINT, 0);
    }
    if (error != 0) {
        peer_eccsi_free(eccsi);
        return NULL;
    }
    return eccsi;
}

/* Sets HS for an identity and the PVT that was decoded last. */
static int hash_identity(peer_eccsi *eccsi, const uint8_t *id, uint16_t id_octets)
{
    byte hs[WC_MAX_DIGEST_SIZE];
    byte octets = 0;
    int error = wc_HashEccsiId(&eccsi->key, HASH, id, id_octets, eccsi->pvt, hs, &octets);
    if (error == 0) {
        error = wc_SetEccsiHash(&eccsi->key, hs, octets);
    }
    return error;
}

/* The identity and pair that sign. */
int peer_eccsi_set_pair(peer_eccsi *eccsi, const uint8_t *id, uint16_t id_octets,
    const uint8_t ssk[ECCSI_INTEGER], const uint8_t pvt[ECCSI_POINT])
{
    int valid = 0;
    int error = wc_DecodeEccsiSsk(&eccsi->key, ssk, ECCSI_INTEGER, &eccsi->ssk);
    if (error == 0) {
        error = wc_DecodeEccsiPvt(&eccsi->key, pvt, ECCSI_POINT, eccsi->pvt);
    }
    if (error == 0) {
        error = wc_ValidateEccsiPair(&eccsi->key, HASH, id, id_octets, &eccsi->ssk, eccsi->pvt, &valid);
    }
    if (error == 0 && !valid) {
        error = SIG_VERIFY_E;
    }
    if (error == 0) {
        error = hash_identity(eccsi, id, id_octets);
    }
    if (error == 0) {
        error = wc_SetEccsiPair(&eccsi->key, &eccsi->ssk, eccsi->pvt);
    }
    return error;
}

int peer_eccsi_sign(peer_eccsi *eccsi, const uint8_t *message, uint32_t message_octets, uint8_t signature[SIGNATURE])
{
    word32 octets = SIGNATURE;
    return wc_SignEccsiHash(&eccsi->key, &eccsi->rng, HASH, message, message_octets, signature, &octets);
}

/* Verifies with the PVT that the signature carries; the pair of this handle, if any, is lost. */
int peer_eccsi_verify(peer_eccsi *eccsi, const uint8_t *id, uint16_t id_octets,
    const uint8_t *message, uint32_t message_octets, const uint8_t signature[SIGNATURE])
{
    int verified = 0;
    int error = wc_DecodeEccsiPvtFromSig(&eccsi->key, signature, SIGNATURE, eccsi->pvt);
    if (error == 0) {
        error = hash_identity(eccsi, id, id_octets);
    }
    if (error == 0) {
        error = wc_VerifyEccsiHash(&eccsi->key, HASH, message, message_octets, signature, SIGNATURE, &verified);
    }
    return error != 0 || verified ? error : SIG_VERIFY_E;
}
