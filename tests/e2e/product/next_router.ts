// The router of Next.js as far as @novu/nextjs asks for it: an app directory, and a push that moves the address.
export const useRouter = () => ({ push: (path: string) => window.history.pushState(null, "", path) });
