/* Compiles and links only where libwolfssl is installed with its SAKKE and ECCSI functions. */

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/eccsi.h>
#include <wolfssl/wolfcrypt/sakke.h>

int main(void)
{
    static SakkeKey sakke;
    static EccsiKey eccsi;
    return wc_InitSakkeKey(&sakke, NULL, INVALID_DEVID) | wc_InitEccsiKey(&eccsi, NULL, INVALID_DEVID);
}
