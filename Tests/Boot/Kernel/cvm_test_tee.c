// SPDX-License-Identifier: GPL-2.0
/*
 * A pretend TEE driver for the boot tests: the kernel's own configfs-tsm and,
 * for SEV-SNP, the ioctls of /dev/sev-guest, with evidence that a program in
 * user space makes.  That program reads requests from /dev/cvm-test-tee and
 * writes answers to it (README.md; `cvm-tee-sim respond` is one).
 *
 * For throw-away virtual machines only: it proves nothing about any hardware.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/tsm.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <uapi/linux/sev-guest.h>

/* Linux 6.17 renamed what drivers register with. */
#ifdef TSM_REPORT_INBLOB_MAX
#define tsm_ops tsm_report_ops
#define tsm_register tsm_report_register
#define tsm_unregister tsm_report_unregister
#endif

#define REPORT_DATA_SIZE 64
#define BLOB_MAX SZ_32K
#define ANSWER_TIMEOUT (10 * HZ)

static char *provider = "sev_guest";
module_param(provider, charp, 0444);
MODULE_PARM_DESC(provider, "sev_guest or tdx_guest");

/* What one read() of the signer takes. Integers are little-endian, as the machine is. */
struct request {
	__u32 kind;
	__u32 vmpl;
	__u8 report_data[REPORT_DATA_SIZE];
	/* KIND_DERIVED_KEY only, as in struct snp_derived_key_req. */
	__u64 fields;
	__u32 guest_svn;
	__u32 root_key;
	__u64 tcb;
};
enum { KIND_EVIDENCE, KIND_DERIVED_KEY };

/* What one write() of the signer gives: this, then both blobs. */
struct answer {
	/* 0, or an errno, negative. */
	__s32 error;
	/* With -EIO: what the firmware says in exitinfo2. */
	__u32 firmware;
	__u32 report_size;
	__u32 certificates_size;
};

/* One question is on its way at a time; `asking` keeps the others out, `lock` guards what follows. */
static DEFINE_MUTEX(asking);
static DEFINE_MUTEX(lock);
static DECLARE_WAIT_QUEUE_HEAD(changed);
static enum { IDLE, ASKED, TAKEN, ANSWERED } state;
static struct request question;
static struct answer reply;
static u8 *blobs;

/* Asks the signer. On success `answer` and the two blobs behind `*data`, to be freed with kvfree(), are the caller's. */
static int ask(const struct request *request, struct answer *answer, u8 **data)
{
	long left;
	int error = 0;

	if (mutex_lock_interruptible(&asking))
		return -EINTR;
	mutex_lock(&lock);
	question = *request;
	state = ASKED;
	mutex_unlock(&lock);
	wake_up_interruptible(&changed);
	left = wait_event_interruptible_timeout(changed, READ_ONCE(state) == ANSWERED, ANSWER_TIMEOUT);
	mutex_lock(&lock);
	if (state == ANSWERED) {
		*answer = reply;
		*data = blobs;
		blobs = NULL;
	} else {
		error = left < 0 ? left : -ETIMEDOUT;
	}
	/* An answer that comes later finds nobody. */
	state = IDLE;
	mutex_unlock(&lock);
	mutex_unlock(&asking);
	return error;
}

/* configfs-tsm */

static int give(u8 **blob, size_t *size, const u8 *from, u32 count)
{
	*blob = NULL;
	*size = 0;
	if (!count)
		return 0;
	*blob = kvmemdup(from, count, GFP_KERNEL);
	if (!*blob)
		return -ENOMEM;
	*size = count;
	return 0;
}

static int report_new(struct tsm_report *report, void *unused)
{
	struct request request = { .kind = KIND_EVIDENCE, .vmpl = report->desc.privlevel };
	struct answer answer;
	u8 *data = NULL;
	int error;

	if (report->desc.inblob_len != REPORT_DATA_SIZE)
		return -EINVAL;
	memcpy(request.report_data, report->desc.inblob, REPORT_DATA_SIZE);
	error = ask(&request, &answer, &data);
	if (error)
		return error;
	error = answer.error;
	if (!error)
		error = give(&report->outblob, &report->outblob_len, data, answer.report_size);
	if (!error)
		error = give(&report->auxblob, &report->auxblob_len, data + answer.report_size,
			     answer.certificates_size);
	kvfree(data);
	return error;
}

static bool is_sev(void)
{
	return !strcmp(provider, "sev_guest");
}

static bool attribute_is_visible(int number)
{
	switch (number) {
	case TSM_REPORT_GENERATION:
	case TSM_REPORT_PROVIDER:
		return true;
	case TSM_REPORT_PRIVLEVEL:
	case TSM_REPORT_PRIVLEVEL_FLOOR:
		return is_sev();
	default:
		return false;
	}
}

static bool blob_is_visible(int number)
{
	switch (number) {
	case TSM_REPORT_INBLOB:
	case TSM_REPORT_OUTBLOB:
		return true;
	case TSM_REPORT_AUXBLOB:
		return is_sev();
	default:
		return false;
	}
}

static struct tsm_ops tsm = {
	.report_new = report_new,
	.report_attr_visible = attribute_is_visible,
	.report_bin_attr_visible = blob_is_visible,
};

/* /dev/sev-guest */

static const u64 hypervisor_invalid_length = (u64)SNP_GUEST_VMM_ERR_INVALID_LEN << 32;

static long get_report(struct snp_guest_request_ioctl *io, bool is_extended)
{
	struct snp_ext_report_req wanted = {};
	struct request request = { .kind = KIND_EVIDENCE };
	struct snp_report_resp *response;
	struct answer answer;
	size_t size = is_extended ? sizeof(wanted) : sizeof(wanted.data);
	u8 *data = NULL;
	long error;

	if (copy_from_user(&wanted, (void __user *)io->req_data, size))
		return -EFAULT;
	memcpy(request.report_data, wanted.data.user_data, REPORT_DATA_SIZE);
	request.vmpl = wanted.data.vmpl;
	error = ask(&request, &answer, &data);
	if (error)
		return error;
	if (answer.error) {
		kvfree(data);
		io->exitinfo2 = answer.firmware;
		return answer.error;
	}
	response = kzalloc(sizeof(*response), GFP_KERNEL);
	error = -ENOMEM;
	if (!response)
		goto out;
	error = -EIO;
	if (answer.report_size > sizeof(response->data) - 32)
		goto out;
	if (is_extended && wanted.certs_len < answer.certificates_size) {
		wanted.certs_len = PAGE_ALIGN(answer.certificates_size);
		io->exitinfo2 = hypervisor_invalid_length;
		if (copy_to_user((void __user *)io->req_data, &wanted, sizeof(wanted)))
			error = -EFAULT;
		goto out;
	}
	/* status @0, size @4, report @32 */
	memcpy(response->data + 4, &answer.report_size, 4);
	memcpy(response->data + 32, data, answer.report_size);
	error = 0;
	if (copy_to_user((void __user *)io->resp_data, response, sizeof(*response)))
		error = -EFAULT;
	if (is_extended && copy_to_user((void __user *)wanted.certs_address, data + answer.report_size,
					answer.certificates_size))
		error = -EFAULT;
	io->exitinfo2 = 0;
out:
	kfree(response);
	kvfree(data);
	return error;
}

static long get_derived_key(struct snp_guest_request_ioctl *io)
{
	struct snp_derived_key_req wanted;
	struct snp_derived_key_resp response = {};
	struct request request = { .kind = KIND_DERIVED_KEY };
	struct answer answer;
	u8 *data = NULL;
	long error;

	if (copy_from_user(&wanted, (void __user *)io->req_data, sizeof(wanted)))
		return -EFAULT;
	request.root_key = wanted.root_key_select;
	request.fields = wanted.guest_field_select;
	request.vmpl = wanted.vmpl;
	request.guest_svn = wanted.guest_svn;
	request.tcb = wanted.tcb_version;
	error = ask(&request, &answer, &data);
	if (error)
		return error;
	error = answer.error;
	io->exitinfo2 = answer.firmware;
	/* status @0, key @32 */
	if (!error && answer.report_size != 32)
		error = -EIO;
	if (!error) {
		memcpy(response.data + 32, data, 32);
		if (copy_to_user((void __user *)io->resp_data, &response, sizeof(response)))
			error = -EFAULT;
	}
	kvfree(data);
	return error;
}

static long sev_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	struct snp_guest_request_ioctl io;
	void __user *argument = (void __user *)address;
	long error;

	if (copy_from_user(&io, argument, sizeof(io)))
		return -EFAULT;
	if (!io.msg_version || !io.req_data || !io.resp_data)
		return -EINVAL;
	io.exitinfo2 = 0xff;
	switch (command) {
	case SNP_GET_REPORT:
		error = get_report(&io, false);
		break;
	case SNP_GET_EXT_REPORT:
		error = get_report(&io, true);
		break;
	case SNP_GET_DERIVED_KEY:
		error = get_derived_key(&io);
		break;
	default:
		return -ENOTTY;
	}
	if (io.exitinfo2 && copy_to_user(argument, &io, sizeof(io)))
		return -EFAULT;
	return error;
}

static const struct file_operations sev_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = sev_ioctl,
};
static struct miscdevice sev_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sev-guest",
	.fops = &sev_operations,
	.mode = 0600,
};

/* The signer's end */

static ssize_t signer_read(struct file *file, char __user *to, size_t count, loff_t *unused)
{
	ssize_t result;

	if (count < sizeof(question))
		return -EINVAL;
	for (;;) {
		result = wait_event_interruptible(changed, READ_ONCE(state) == ASKED);
		if (result)
			return result;
		mutex_lock(&lock);
		if (state == ASKED)
			break;
		mutex_unlock(&lock);
	}
	result = -EFAULT;
	if (!copy_to_user(to, &question, sizeof(question))) {
		state = TAKEN;
		result = sizeof(question);
	}
	mutex_unlock(&lock);
	return result;
}

static ssize_t signer_write(struct file *file, const char __user *from, size_t count, loff_t *unused)
{
	struct answer answer;
	u8 *data;
	ssize_t result = -EINVAL;

	if (count < sizeof(answer) || count > sizeof(answer) + 2 * BLOB_MAX)
		return -EINVAL;
	if (copy_from_user(&answer, from, sizeof(answer)))
		return -EFAULT;
	if (answer.error > 0 || answer.error < -MAX_ERRNO || (!answer.error && !answer.report_size) ||
	    (u64)answer.report_size + answer.certificates_size != count - sizeof(answer))
		return -EINVAL;
	data = kvmalloc(count - sizeof(answer) + 1, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (copy_from_user(data, from + sizeof(answer), count - sizeof(answer))) {
		kvfree(data);
		return -EFAULT;
	}
	mutex_lock(&lock);
	if (state == TAKEN) {
		reply = answer;
		swap(blobs, data);
		state = ANSWERED;
		result = count;
	}
	mutex_unlock(&lock);
	kvfree(data);
	wake_up_interruptible(&changed);
	return result;
}

static const struct file_operations signer_operations = {
	.owner = THIS_MODULE,
	.read = signer_read,
	.write = signer_write,
};
static struct miscdevice signer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cvm-test-tee",
	.fops = &signer_operations,
	.mode = 0600,
};

static int __init start(void)
{
	int error;

	tsm.name = provider;
	error = misc_register(&signer_device);
	if (error)
		return error;
	error = tsm_register(&tsm, NULL);
	if (error)
		goto no_tsm;
	error = is_sev() ? misc_register(&sev_device) : 0;
	if (error)
		goto no_sev;
	return 0;
no_sev:
	tsm_unregister(&tsm);
no_tsm:
	misc_deregister(&signer_device);
	return error;
}

static void __exit stop(void)
{
	if (is_sev())
		misc_deregister(&sev_device);
	tsm_unregister(&tsm);
	misc_deregister(&signer_device);
	kvfree(blobs);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("pretend TEE driver for boot tests");
